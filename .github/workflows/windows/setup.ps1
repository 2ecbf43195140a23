# SPDX-License-Identifier: Apache-2.0
# Kills the helper at random moments of setup and of its removal. Each time the
# next command takes it up, and no account is enabled before all is verified.
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
$failed = @()
function Killed([string]$what) {
  $p = Start-Process $caisson -ArgumentList 'setup', $what, '--yes' -PassThru -WindowStyle Hidden
  Start-Sleep -Milliseconds (Get-Random -Maximum 2500)
  Get-Process caisson-winhelper -ErrorAction SilentlyContinue | Stop-Process -Force
  $p.WaitForExit(60000) | Out-Null
}
foreach ($n in 1..10) {
  Killed install
  & $caisson setup status | Out-File -Append report/setup-killed-status.txt
  if ($n % 2) {
    & $caisson setup install --yes
    if ($LASTEXITCODE) { $failed += "install after kill $n ended with $LASTEXITCODE" }
    Killed uninstall
  }
  & $caisson setup uninstall --yes
  if ((Get-LocalUser | Where-Object Name -like 'caisson-*') -or (Test-Path "$env:ProgramData\caisson")) { $failed += "kill $n left something" }
}
if ($failed) { $failed | ForEach-Object { Write-Host "FAILED: $_" }; exit 1 }
