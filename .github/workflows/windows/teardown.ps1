# SPDX-License-Identifier: Apache-2.0
# Uninstalls, and looks for everything that setup and runs could leave.
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
& $caisson setup uninstall --yes
$failed = @()
if ($LASTEXITCODE) { $failed += "uninstall ended with $LASTEXITCODE" }
if (Get-LocalUser | Where-Object Name -like 'caisson-*') { $failed += 'accounts' }
if (Get-LocalGroup | Where-Object Name -like 'caisson-*') { $failed += 'groups' }
if (Get-ChildItem C:\Users | Where-Object Name -like 'caisson-*') { $failed += 'profiles' }
if (Test-Path "$env:ProgramData\caisson") { $failed += 'directories' }
$list = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\SpecialAccounts\UserList' -ErrorAction SilentlyContinue
if ($list.PSObject.Properties.Name -like 'caisson-*') { $failed += 'entries of the sign-in screen' }
netsh wfp show filters file="$env:TEMP\filters.xml" | Out-Null
if (Select-String -Quiet 'caisson' "$env:TEMP\filters.xml") { $failed += 'filters' }
& $caisson setup uninstall --yes
if ($LASTEXITCODE -ne 2) { $failed += 'a second uninstall is not a misuse' }
if ($failed) { $failed | ForEach-Object { Write-Host "LEFT: $_" }; exit 1 }
