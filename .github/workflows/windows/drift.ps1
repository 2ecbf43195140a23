# SPDX-License-Identifier: Apache-2.0
# Does to the accounts what administrators and policies do, and wants a refusal
# that says what is wrong, then a repair after which a sandbox opens again.
$ErrorActionPreference = 'Continue'
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
$ws = "C:\ci-drift"; New-Item -ItemType Directory -Force $ws | Out-Null
$failed = @()
function Try-Run { $script:said = (& $caisson run --backend windows/account -w $ws -- cmd /d /c exit 0 2>&1) -join "`n"; return $LASTEXITCODE }
function Drift([string]$name, [scriptblock]$break, [string]$want, [scriptblock]$mend) {
  & $break
  if ((Try-Run) -eq 0) { $script:failed += "$name`: it runs all the same" }
  elseif ($script:said -notmatch $want) { $script:failed += "$name`: it says $script:said" }
  & $mend
  if ((Try-Run) -ne 0) { $script:failed += "$name`: after the repair it says $script:said" }
}
$accounts = Get-LocalUser | Where-Object Name -like 'caisson-*-off*'
if (-not $accounts -or (Try-Run) -ne 0) { Write-Host "FAILED: nothing works before: $said"; exit 1 }
$repair = { & $caisson setup status --repair --yes | Out-Null }
Drift 'password' { $accounts | ForEach-Object { Set-LocalUser -SID $_.SID -Password (ConvertTo-SecureString 'Another-1-Password!' -AsPlainText -Force) } } 'password' $repair
Drift 'disabled' { $accounts | Disable-LocalUser } 'disabled' $repair
Drift 'expired' { $accounts | Set-LocalUser -AccountExpires (Get-Date).AddDays(-1) } 'expired|account' { $accounts | Set-LocalUser -AccountNeverExpires }
Drift 'service' { Set-Service seclogon -StartupType Disabled; Stop-Service seclogon -Force } 'Secondary Logon' { Set-Service seclogon -StartupType Manual }
Remove-Item -Recurse -Force $ws
if ($failed) { $failed | ForEach-Object { Write-Host "FAILED: $_" }; exit 1 }
