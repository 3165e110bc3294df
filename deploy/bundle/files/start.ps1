# start.ps1 [-From URL] [-Docker | -Room] [ARGUMENT...]: starts demo-api, which brings its
# own delay-server, from this folder. ARGUMENTS are for the program.
#
#   -From     URL of a bundle, such as http://192.168.1.5:3000/get: what is needed is
#             downloaded from there to the folder flash
#   -Docker   start both programs as containers
#   -Room     start delay-server for everybody in the room, who find this bundle at /get;
#             it needs the whole bundle, so no -From. HOST is set to 0.0.0.0
#
# All files are compared with SHA256SUMS before they are used. Windows runs scripts only if
# it is told to:
#
#   powershell -ExecutionPolicy Bypass -File start.ps1
[CmdletBinding(PositionalBinding = $false)] # else the first argument would be -From
param(
    [string]$From = '',
    [switch]$Docker,
    [switch]$Room,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$Arguments = @()
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # a progress bar makes downloads slow

function Stop-WithMessage([string]$Message) {
    [Console]::Error.WriteLine("start.ps1: $Message")
    exit 1
}

if ($From) {
    $From = $From.TrimEnd('/')
    if ($Room) {
        Stop-WithMessage "-Room needs the whole bundle: open $From in a browser, and download the archive"
    }
    $null = New-Item -ItemType Directory -Force -Path flash
    Set-Location -Path flash
} else {
    Set-Location -Path $PSScriptRoot
}

# Get-BundleFile downloads a file of the bundle.
function Get-BundleFile([string]$Name) {
    $folder = Split-Path -Parent $Name
    if ($folder) { $null = New-Item -ItemType Directory -Force -Path $folder }
    Write-Host "downloading $From/$Name"
    try {
        Invoke-WebRequest -UseBasicParsing -Uri "$From/$Name" -OutFile "$Name.part"
    } catch {
        Stop-WithMessage "download of $From/$Name failed ($($_.Exception.Message)): is the server still there?"
    }
    Move-Item -Force -Path "$Name.part" -Destination $Name
}

if ($From) { Get-BundleFile 'SHA256SUMS' }
if (-not (Test-Path -Path 'SHA256SUMS')) {
    Stop-WithMessage "SHA256SUMS is missing: start.ps1 needs the bundle's other files beside it, or -From URL"
}
$sums = @{}
foreach ($line in Get-Content -Path 'SHA256SUMS') {
    if ($line.Length -gt 66) { $sums[$line.Substring(66)] = $line.Substring(0, 64) }
}

function Test-Sum([string]$Name) {
    return (Test-Path -Path $Name) -and ((Get-FileHash -Algorithm SHA256 -Path $Name).Hash -eq $sums[$Name])
}

# Confirm-File ends the script unless the file is as SHA256SUMS says. With -From, it is
# downloaded if it is not.
function Confirm-File([string]$Name) {
    if (-not $sums.ContainsKey($Name)) {
        Stop-WithMessage "SHA256SUMS has no ${Name}: this bundle is not complete, or was made without it; copy it again"
    }
    if ($From -and -not (Test-Sum $Name)) { Get-BundleFile $Name }
    if (-not (Test-Path -Path $Name)) {
        Stop-WithMessage "$Name is missing: only a part of the bundle was copied; copy it again"
    }
    if (-not (Test-Sum $Name)) {
        Stop-WithMessage "$Name is damaged, its checksum is not in SHA256SUMS: copy the bundle again"
    }
}

if ($Docker) {
    if (-not (Get-Command -Name docker -ErrorAction SilentlyContinue)) {
        Stop-WithMessage 'docker is not installed: leave out -Docker, which needs nothing'
    }
    $arch = docker version --format '{{.Server.Arch}}'
    if ($LASTEXITCODE -ne 0) { Stop-WithMessage 'the Docker engine does not answer: start it and try again' }
    if ($arch -ne 'amd64' -and $arch -ne 'arm64') {
        Stop-WithMessage "no image for the engine's processor, ${arch}: there are amd64 and arm64"
    }
    Confirm-File 'docker-compose.yml'
    Confirm-File 'images.tar'
    docker load --quiet --input images.tar
    if ($LASTEXITCODE -ne 0) { Stop-WithMessage 'docker load of images.tar failed' }
    $delayServer = if ($env:DELAY_SERVER_IMAGE) { $env:DELAY_SERVER_IMAGE } else { 'flash-delay-server' }
    $demoApi = if ($env:DEMO_API_IMAGE) { $env:DEMO_API_IMAGE } else { 'flash-demo-api' }
    docker tag "flash-delay-server:$arch" $delayServer
    if ($LASTEXITCODE -ne 0) { Stop-WithMessage "images.tar has no image for $arch" }
    docker tag "flash-demo-api:$arch" $demoApi
    if ($LASTEXITCODE -ne 0) { Stop-WithMessage "images.tar has no image for $arch" }
    docker compose up --detach --no-build @Arguments
    if ($LASTEXITCODE -ne 0) {
        Stop-WithMessage 'docker compose up failed; if a port is taken, set $env:DEMO_API_PORT = 5001 and try again'
    }
    for ($tries = 0; $tries -lt 30; $tries++) {
        docker compose exec -T demo-api /demo-api healthcheck
        if ($LASTEXITCODE -eq 0) { break }
        Start-Sleep -Seconds 1
    }
    if ($LASTEXITCODE -ne 0) { Stop-WithMessage 'demo-api does not answer: see docker compose logs demo-api' }
    $demoPort = if ($env:DEMO_API_PORT) { $env:DEMO_API_PORT } else { 5000 }
    $delayPort = if ($env:DELAY_SERVER_PORT) { $env:DELAY_SERVER_PORT } else { 3000 }
    Write-Host "demo-api is at http://localhost:$demoPort/, delay-server at http://localhost:$delayPort/"
    Write-Host 'this ends them: docker compose down'
    exit 0
}

# The processor of Windows, not of a 32-bit PowerShell.
$processor = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
$arch = switch ($processor) {
    'AMD64' { 'amd64' }
    'ARM64' { 'arm64' }
    default { Stop-WithMessage "no binary for the processor ${processor}: there are AMD64 and ARM64" }
}

$program = 'demo-api'
if ($Room) {
    $program = 'delay-server'
    $env:HOST = '0.0.0.0'
    $env:BUNDLE_DIR = (Get-Location).Path
    # As in deploy/compose/room.yml.
    if (-not $env:BOARD) { $env:BOARD = 'true' }
    if (-not $env:MAX_IN_FLIGHT_PER_CLIENT) { $env:MAX_IN_FLIGHT_PER_CLIENT = '1000' }
    if (-not $env:JOURNAL_SIZE) { $env:JOURNAL_SIZE = '100000' }
}
$file = "bin/$program-windows-$arch.exe"
Confirm-File $file
Unblock-File -Path $file # a mark of the browser, for which SmartScreen would ask
& "./$file" @Arguments
exit $LASTEXITCODE
