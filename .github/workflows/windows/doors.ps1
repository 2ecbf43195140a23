# SPDX-License-Identifier: Apache-2.0
# Goes through the side doors of docs/contract.md under windows/account: what is
# said to be held must be, what is said to be open is recorded. Each makes a file
# in a place that every user may write and commands may not, after a control that
# it can be made there.
$ErrorActionPreference = 'Continue'
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
$ws = "C:\ci-doors"; New-Item -ItemType Directory -Force $ws | Out-Null
$open = "C:\ci-open"; New-Item -ItemType Directory -Force $open | Out-Null
icacls $open /grant 'Everyone:(OI)(CI)F' | Out-Null
$failed = @()
function Inside([string]$line) { & $caisson run --backend windows/account --allow-weaker fs.write.confined -w $ws -- cmd /d /c $line 2>&1 | Write-Host; return $LASTEXITCODE }
function Door([string]$name, [string]$line, [bool]$held, [string]$file) {
  Remove-Item $file -ErrorAction SilentlyContinue
  Inside $line | Out-Null
  Start-Sleep 5
  $came = Test-Path $file
  Write-Host "door: $name held: $(-not $came)"
  if ($held -and $came) { $script:failed += "$name is said to be held" }
  Remove-Item $file -ErrorAction SilentlyContinue
}
cmd /d /c "echo x> $open\control"
if (-not (Test-Path "$open\control")) { Write-Host 'FAILED: the control cannot write'; exit 1 }
Door 'nothing' "echo x> $open\plain" $true "$open\plain"
Door 'task scheduler' "schtasks /create /f /tn ci-door /sc once /st 00:00 /tr `"cmd /c echo x> $open\task`" && schtasks /run /tn ci-door" $true "$open\task"
Door 'services' "sc create ci-door binPath= `"cmd /c echo x> $open\service`" && sc start ci-door" $true "$open\service"
Door 'WMI' "wmic process call create `"cmd /c echo x> $open\wmi`" || powershell -NoProfile -Command `"Invoke-CimMethod Win32_Process -MethodName Create -Arguments @{CommandLine='cmd /c echo x> $open\wmi'}`"" $false "$open\wmi"
Door 'COM' "powershell -NoProfile -Command `"(New-Object -ComObject Shell.Application).ShellExecute('cmd','/c echo x> $open\com')`"" $true "$open\com"
Door 'ShellExecute' "explorer.exe $ws && start cmd /c echo x> $open\shell" $true "$open\shell"
Door 'BITS' "bitsadmin /transfer ci-door https://example.org/ $open\bits" $false "$open\bits"
Door 'wsl' "wsl.exe -e sh -c `"echo x > /mnt/c/ci-open/wsl`"" $true "$open\wsl"
Set-Clipboard 'secret-of-the-user'
Door 'clipboard' "powershell -NoProfile -Command `"if ((Get-Clipboard) -match 'secret-of') { Set-Content $ws\clipboard x }`"" $true "$ws\clipboard"
Door 'parent process' "powershell -NoProfile -Command `"try { (Get-Process -Id $PID).Handle | Out-Null; Set-Content $ws\parent x } catch {}`"" $true "$ws\parent"
Door 'SMB' "dir \\127.0.0.1\C`$ && echo x> $ws\smb" $false "$ws\smb"
Door 'names' "nslookup -timeout=3 example.org && ping -n 1 example.org && echo x> $ws\names" $false "$ws\names"
Door 'Schannel' "curl.exe -s https://127.0.0.1:1/ & echo %errorlevel%> $ws\schannel" $false "$ws\schannel"
# What a service started is ended with the sandbox.
$users = Get-LocalUser | Where-Object Name -like 'caisson-*' | ForEach-Object { $_.Name }
$left = Get-Process -IncludeUserName | Where-Object { $_.UserName -and ($users -contains $_.UserName.Split('\')[-1]) }
if ($left) { $failed += "processes of the accounts are left: $($left.Name)" }
Remove-Item -Recurse -Force $open, $ws
if ($failed) { $failed | ForEach-Object { Write-Host "FAILED: $_" }; exit 1 }
