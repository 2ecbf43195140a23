# SPDX-License-Identifier: Apache-2.0
# Runs windows/token as a standard user that is made for it and removed again.
$ErrorActionPreference = 'Stop'
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
$password = [Guid]::NewGuid().ToString() + '-Aa1'
$secure = ConvertTo-SecureString $password -AsPlainText -Force
New-LocalUser -Name caisson-ci -Password $secure | Out-Null
Add-LocalGroupMember -SID S-1-5-32-545 -Member caisson-ci
try {
  $dir = "C:\ci-token"; New-Item -ItemType Directory -Force $dir | Out-Null
  icacls $dir /grant 'caisson-ci:(OI)(CI)F' | Out-Null
  New-Item -ItemType Directory -Force "$dir\ws", "$dir\conformance", "$dir\report" | Out-Null
  $weaker = 'fs.write.confined','fs.write.protected','fs.read.hidden','fs.tmp.private','fs.device.denied','net.offline','net.unix.confined','proc.outside.untouchable','proc.noprivs','ipc.confined' | ForEach-Object { '--allow-weaker', $_ }
  $script = @"
`$ErrorActionPreference = 'Continue'
& '$caisson' run -w '$dir\ws' -- cmd /c "echo x> in.txt"; if (-not `$?) { 'refused, as it must be' | Out-File '$dir\refused.txt' }
& '$caisson' run --backend windows/token $($weaker -join ' ') -w '$dir\ws' --result '$dir\result.json' -- cmd /c "echo in> in.txt & echo out> $dir\out.txt" *> '$dir\log.txt'
& '$caisson' conformance run --backend windows/token --work '$dir\conformance' --case-timeout 1m --timeout 20m --format md --out '$dir\report' *> '$dir\conformance.txt'
`$LASTEXITCODE | Out-File '$dir\conformance.status'
"@
  Set-Content "$dir\run.ps1" $script
  $credential = New-Object System.Management.Automation.PSCredential('caisson-ci', $secure)
  Start-Process powershell -Credential $credential -WorkingDirectory $dir -ArgumentList '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', "$dir\run.ps1" -Wait
  Get-Content "$dir\log.txt" -ErrorAction SilentlyContinue
  if (-not (Test-Path "$dir\refused.txt")) { throw 'a standard run without setup was not refused' }
  if (-not (Test-Path "$dir\ws\in.txt")) { throw 'the workspace could not be written' }
  if (Test-Path "$dir\out.txt") { throw 'a file outside of the workspace was made' }
  Get-Content "$dir\conformance.txt" -ErrorAction SilentlyContinue
  Copy-Item -Recurse -Force "$dir\report" report\conformance-token
  if ("$(Get-Content "$dir\conformance.status" -ErrorAction SilentlyContinue)".Trim() -ne '0') { throw 'conformance run --backend windows/token is not conformant' }
  $left = icacls "$dir\ws" | Select-String 'S-1-5-21-' | Where-Object { $_ -notmatch 'caisson-ci' }
  if ($left) { throw "entries are left: $left" }
} finally {
  Remove-LocalUser caisson-ci
}
