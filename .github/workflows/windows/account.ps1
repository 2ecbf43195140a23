# SPDX-License-Identifier: Apache-2.0
# Tries what the contract forbids in windows/account, each with its control
# outside, runs real tools, and kills caisson at random moments.
$ErrorActionPreference = 'Continue'
$caisson = "$env:ProgramFiles\caisson\caisson.exe"
$ws = "C:\ci-account"; New-Item -ItemType Directory -Force $ws | Out-Null
Push-Location $ws; git init -q; Pop-Location
$failed = @()
function Inside([string]$line) { & $caisson run -w $ws -- cmd /d /c $line 2>&1 | Write-Host; return $LASTEXITCODE }
function Wall([string]$name, [string]$line, [scriptblock]$harm) {
  cmd /d /c $line 2>&1 | Out-Null
  if (-not (& $harm)) { $script:failed += "$name has no control"; return }
  & $harm -Undo
  Inside $line | Out-Null
  if (& $harm) { $script:failed += "$name is not held"; & $harm -Undo }
}
$canary = "C:\ci-canary"; New-Item -ItemType Directory -Force $canary | Out-Null
icacls $canary /grant 'Everyone:(OI)(CI)F' | Out-Null
Wall 'fs.write.confined' "echo x> $canary\made.txt" { param([switch]$Undo) if ($Undo) { Remove-Item "$canary\made.txt" } else { Test-Path "$canary\made.txt" } }
Wall 'fs.write.protected' "echo x> $ws\.git\hooks\pre-commit" { param([switch]$Undo) if ($Undo) { Remove-Item "$ws\.git\hooks\pre-commit" } else { Test-Path "$ws\.git\hooks\pre-commit" } }
Wall 'fs.write.protected, absent' "mkdir $ws\.mcp.json" { param([switch]$Undo) if ($Undo) { Remove-Item "$ws\.mcp.json" } else { Test-Path "$ws\.mcp.json" } }
$before = (icacls $ws) -join "`n"
if ((Inside 'echo in> made.txt') -ne 0 -or -not (Test-Path "$ws\made.txt")) { $failed += 'the workspace cannot be written' }
if ((Inside 'curl -s -m 5 http://example.org') -eq 0) { $failed += 'net.offline is not held' }
# By a list: what is listed through the proxy, and nothing past it.
function Listed([string]$line) { & $caisson run -w $ws --net allowlist --allow-host example.org:80 -- cmd /d /c $line 2>&1 | Write-Host; return $LASTEXITCODE }
if ((Listed 'curl -sf -m 20 -o NUL http://example.org') -ne 0) { $failed += 'net.allowlist: what is listed is not reached' }
if ((Listed 'curl -sf -m 20 -o NUL http://example.com') -eq 0) { $failed += 'net.allowlist is not held' }
cmd /d /c "curl -sf -m 20 -o NUL --noproxy * http://example.org"
if ($LASTEXITCODE) { $failed += 'net.allowlist has no control' }
if ((Listed 'curl -sf -m 5 -o NUL --noproxy * http://example.org') -eq 0) { $failed += 'net.allowlist: the proxy can be passed' }
if ((Inside "taskkill /f /pid $PID") -eq 0) { $failed += 'proc.outside.untouchable is not held' }
if ((Inside 'exit 37') -ne 37) { $failed += 'the status is not passed on' }
# MSYS2 is where runners have it; its pipes and signals are not those of Git Bash.
$tools = 'git --version', 'git status', 'powershell -NoProfile -Command 1+1', 'pwsh -NoProfile -Command 1+1', 'cmd /d /c ver', 'node -e 1', 'npm --version',
  'python -c 1', 'go version', 'dotnet --version', '"C:\Program Files\Git\bin\bash.exe" -c "echo a | cat"', 'C:\msys64\usr\bin\bash.exe -c "echo a | cat"'
foreach ($tool in $tools) {
  $program = if ($tool.StartsWith('"')) { $tool.Split('"')[1] } else { $tool.Split(' ')[0] }
  if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { Write-Host "SKIPPED, not on this runner: $tool"; continue }
  if ((Inside $tool) -ne 0) { $failed += "tool: $tool" }
}
# Owners that are killed leave nothing after the next run.
foreach ($n in 1..20) {
  $p = Start-Process $caisson -ArgumentList 'run', '-w', $ws, '--', 'ping', '-n', '60', '127.0.0.1' -PassThru -WindowStyle Hidden
  Start-Sleep -Milliseconds (Get-Random -Maximum 3000)
  if ($n % 2) { Stop-Process -Id $p.Id -Force } else { Get-Process caisson, caisson-winhelper -ErrorAction SilentlyContinue | Stop-Process -Force }
}
Start-Sleep 3
if (Get-Process ping -ErrorAction SilentlyContinue) { $failed += 'proc.tree.killed is not held' }
& $caisson gc
$after = (icacls $ws) -join "`n"
if ($before -ne $after) { $failed += "life.noresidue: $after" }
if (Test-Path "$ws\.mcp.json") { $failed += 'a placeholder is left' }
Remove-Item -Recurse -Force $canary
if ($failed) { $failed | ForEach-Object { Write-Host "FAILED: $_" }; exit 1 }
