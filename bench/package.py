#!/usr/bin/env python3
"""The cost of `lectern package` beside its peers, in one run: `make bench-package [QUICK=1]`.

a) Time: the three commands of HLS tutorials, one for each size, with a fixed bitrate each (5, 2 and 1 Mbit/s) and x264's
   preset that we use.
b) CPU: x264 alone. Raw frames, already of the three sizes, through the same encoders, in the same pieces, into nothing.
c) CPU: our own ladder and sound alone. These are the commands that `lectern` runs, seen by a stand-in for ffmpeg, as many at
   once as there are cores, without what comes of no rung: pictures to look through, loudness, hashes, checks, playlists.
   Each `--no-…` that the binary has is measured as well.
d) Bytes at equal VMAF. Each rung is scaled up to the source's size and compared with the source, one frame in a few. Ours
   is encoded at several CRFs, at least one on either side of what the fixed bitrate reaches; between the two nearest, the
   logarithm of the bytes is taken as a straight line over VMAF. Bytes are those of the picture alone: no container, no
   sound. What a rung cannot reach is said, and its best counts.
e) Memory: the peak of our own process (VmHWM), without ffmpeg, for a minute and for hours of small pictures at one frame
   a second: as many segments and pictures to look through as in any lecture so long.

Rounds are interleaved and start with another side each time; a ratio is taken within its round. CPU is user and system
time of the whole process tree, which other busy processes disturb less than the time that passes.
"""
import argparse
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

# Height, and kbit/s: target, most, buffer.
FIXED = [(1080, 5000, 5350, 7500), (720, 2000, 2140, 3000), (480, 1000, 1070, 1500)]
PRESET = "veryfast"
CRFS = [20, 23, 27]
FURTHEST_CRFS = (10, 38)
EXTRAS = ["--no-loudnorm", "--no-storyboard", "--no-mp4"]
MEMORY_MB = 64
QUIET = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
# Both sides have the source's size and range, and start at zero.
ALIKE = "scale={width}:{height}:flags=bicubic:out_range=tv,format=yuv420p,settb=AVTB,setpts=PTS-STARTPTS"


def run(args, cwd=None, env=None):
    """Wall and CPU seconds of a command and its children."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([str(arg) for arg in args], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{args}: exit {child.returncode}\n{said.read().decode(errors='replace')}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime


def output(args):
    return subprocess.run([str(arg) for arg in args], check=True, capture_output=True, text=True).stdout


def show(name, found, target=None, is_met=None, note=""):
    verdict = "" if is_met is None else "met" if is_met else "MISSED"
    print(f"  {name:<44} {found:>26}  {target or '':<9} {verdict:<7}{note}".rstrip(), flush=True)


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


# Footage


def footage(folder, lectern, clips, seconds, quick):
    """Name, file and source: real clips, looped, if present, and the sample lecture."""
    found = []
    for name, file in [("film", "bbb-1080p25-fullrange-5s.mp4"), ("camera", "hevc-1080p30-10s.mp4")]:
        if (clips / file).exists() and not (quick and name == "camera"):
            looped = folder / f"{name}.mp4"
            run([*QUIET, "-stream_loop", "-1", "-i", clips / file, "-t", seconds, "-c", "copy", looped])
            found.append((name, looped, f"{file}, looped to {seconds} s"))
    sample = folder / "lecture.mp4"
    run([lectern, "sample", "-o", sample, "--seconds", seconds])
    found.append(("lecture", sample, f"`lectern sample`, {seconds} s"))
    return found


def size(file):
    entries = "stream=width,height"
    found = output(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0", file])
    width, height = re.findall(r"\d+", found)[:2]
    return int(width), int(height)


# Commands


def fixed_command(source, folder, height, rate, most, buffer):
    return [
        *["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", source, "-vf", f"scale=-2:{height}"],
        *["-c:v", "libx264", "-preset", PRESET, "-b:v", f"{rate}k", "-maxrate", f"{most}k", "-bufsize", f"{buffer}k"],
        *["-g", "48", "-keyint_min", "48", "-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k"],
        *["-hls_time", "6", "-hls_playlist_type", "vod", folder / f"{height}.m3u8"],
    ]


def tutorial(source, folder):
    runs = [run(fixed_command(source, folder, *rung)) for rung in FIXED]
    return tuple(map(sum, zip(*runs)))


def ours(lectern, source, folder, *flags, env=None):
    shutil.rmtree(folder, ignore_errors=True)
    return run([lectern, "package", source, "-o", folder, "--preset", PRESET, *flags], env=env)


def seen_commands(lectern, source, folder):
    """The arguments of every ffmpeg that encodes, without loudness; video first."""
    stand_in, seen = folder / "bin", folder / "seen"
    stand_in.mkdir()
    (stand_in / "ffmpeg").write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" '' >>'{seen}'\nexec {shutil.which('ffmpeg')} \"$@\"\n")
    (stand_in / "ffmpeg").chmod(0o755)
    flags = [flag for flag in EXTRAS if flag in known_flags(lectern)]
    path = {**os.environ, "PATH": f"{stand_in}:{os.environ['PATH']}"}
    ours(lectern, source, folder / "seen-package", "--threads", "1", *flags, env=path)
    commands = [command.split("\0") for command in seen.read_text().split("\0\0")]
    encoding = [command for command in commands if "[v0]" in command or "hls" in command]
    return sorted(encoding, key=lambda command: "-filter_complex" not in command)


def known_flags(lectern):
    return re.findall(r"--no-[\w-]+", output([lectern, "package", "--help"]))


class Command:
    """The parsed arguments of ffmpeg."""

    def __init__(self, args):
        first = args.index("-map")
        self.head, rest = args[:first], args[first:]
        self.outputs, at = [], 0
        while at < len(rest):
            end = at
            # An option and its value each, until the file's name.
            while end < len(rest) and rest[end].startswith("-"):
                end += 2
            self.outputs.append(rest[at : end + 1])
            at = end + 1

    def rungs(self):
        return [args for args in self.outputs if args[1].startswith("[v")]

    def ladder_alone(self):
        """Rungs or audio, without other outputs and their filters."""
        kept = self.rungs() or [args for args in self.outputs if "hls" in args]
        head = list(self.head)
        if "-filter_complex" not in head:
            return [*head, *(arg for args in kept for arg in args)]
        at = head.index("-filter_complex") + 1
        chains = head[at].split(";")
        wanted = {args[1] for args in kept}
        label = re.compile(r"\[\w+\]")
        while True:
            ends = [re.search(r"((?:\[\w+\])*)$", chain)[1] for chain in chains]
            starts = {name for chain in chains for name in label.findall(re.match(r"((?:\[[\w:]+\])*)", chain)[1])}
            before, chains = chains, []
            for chain, end in zip(before, ends):
                used = [name for name in label.findall(end) if name in wanted | starts]
                body = chain[: len(chain) - len(end)]
                body = re.sub(r",split=\d+$", f",split={len(used)}" if len(used) > 1 else "", body)
                if used:
                    chains.append(body + "".join(used))
            if chains == before:
                break
        head[at] = ";".join(chains)
        return [*head, *(arg for args in kept for arg in args)]

    def encoders(self):
        """For each rung, its encoder's options."""
        options = []
        for args in self.rungs():
            # Chunks have options of their container before its name.
            start, end = args.index("-c:v"), args.index("-force_key_frames") + 2
            options.append(args[start:end])
        return options

    def folders(self):
        return [str(Path(args[-1]).parent) for args in self.outputs]


def side_by_side(runs):
    """Wall and CPU seconds of one process per core."""
    begun = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        cpu = sum(pair[1] for pair in pool.map(lambda each: each(), runs))
    return time.monotonic() - begun, cpu


def raw_frames(command, folder):
    """The frames of a chunk in the sizes of its rungs, from the packager's filters."""
    ladder = Command(command.ladder_alone())
    folder.mkdir()
    files, args = [], ["ffmpeg", *ladder.head]
    for at, rung in enumerate(ladder.rungs()):
        files.append(folder / f"raw-{at}.y4m")
        args += ["-map", rung[1], "-f", "yuv4mpegpipe", files[-1]]
    run(args)
    return files


def x264_alone(command, files):
    args = list(QUIET)
    for file in files:
        args += ["-i", file]
    for at, options in enumerate(command.encoders()):
        args += ["-map", f"{at}:v", *options, "-f", "null", "-"]
    return run(args)


def ladder_alone(command, folder):
    for name in command.folders():
        (folder / name).mkdir(parents=True, exist_ok=True)
    return run(["ffmpeg", *command.ladder_alone()], cwd=folder)


# Measurements


def measure_cost(lectern, source, folder, rounds):
    folder.mkdir()
    commands = [Command(command) for command in seen_commands(lectern, source, folder)]
    files = [raw_frames(command, folder / f"raw-{at}") for at, command in enumerate(commands) if command.rungs()]
    sides = {
        "ours": lambda: ours(lectern, source, folder / "ours"),
        "tutorial": lambda: tutorial(source, folder),
        "x264": lambda: side_by_side([partial(x264_alone, *pair) for pair in zip(commands, files)]),
        "ladder": lambda: side_by_side(
            [partial(ladder_alone, command, folder / f"alone-{at}") for at, command in enumerate(commands)]
        ),
    }
    for flag in EXTRAS:
        if flag in known_flags(lectern):
            sides[flag] = lambda flag=flag: ours(lectern, source, folder / "ours", flag)
    found = {side: [] for side in sides}
    for number in range(rounds):
        names = list(sides)
        for side in names[number % len(names) :] + names[: number % len(names)]:
            found[side].append(sides[side]())
    for file in [file for piece in files for file in piece]:
        file.unlink()

    def ratio(over, under, which):
        return [a[which] / b[which] for a, b in zip(found[over], found[under])]

    wall, cpu = 0, 1
    for side, name in [
        ("ours", "lectern package"),
        ("tutorial", "three commands"),
        ("x264", "x264 alone, on raw frames"),
        ("ladder", "our ladder and sound alone"),
    ]:
        times = [spread([pair[which] for pair in found[side]]) for which in (wall, cpu)]
        show(name, f"{times[0]} s", note=f"CPU {times[1]} s")
    faster = ratio("tutorial", "ours", wall)
    show("a) faster than three commands, wall", f"{spread(faster)} ×", "≥ 1.36 ×", statistics.median(faster) >= 1.36)
    show("   the same in CPU", f"{spread(ratio('tutorial', 'ours', cpu))} ×")
    over = ratio("ours", "x264", cpu)
    show("b) CPU over x264 alone", f"{spread(over)} ×", "≤ 1.12 ×", statistics.median(over) <= 1.12)
    beyond = [100 * value - 100 for value in ratio("ours", "ladder", cpu)]
    show("c) CPU beyond the ladder", f"{spread(beyond, 1)} %", "≤ 10 %", statistics.median(beyond) <= 10)
    for flag in EXTRAS:
        if flag in found:
            share = [100 * value - 100 for value in ratio("ours", flag, cpu)]
            show(f"   of which what {flag} leaves out", f"{spread(share, 1)} %")


class Quality:
    """VMAF and bytes of an encoded file, against a source."""

    def __init__(self, ffmpeg, source, folder, step):
        self.ffmpeg, self.source, self.folder, self.step = ffmpeg, source, folder, step
        self.width, self.height = size(source)

    def of(self, parts):
        """Video bytes and VMAF of a rung, from its joined segments."""
        joined = self.folder / "joined"
        with joined.open("wb") as out:
            for part in parts:
                out.write(part.read_bytes())
        entries = ["-select_streams", "v", "-show_entries", "packet=size", "-of", "csv=p=0"]
        packets = output(["ffprobe", "-v", "error", *entries, joined])
        log = self.folder / "vmaf.json"
        alike = ALIKE.format(width=self.width, height=self.height)
        threads = os.cpu_count()
        vmaf = f"libvmaf=n_subsample={self.step}:n_threads={threads}:log_fmt=json:log_path={log}"
        graph = f"[0:v]{alike}[a];[1:v]{alike}[b];[a][b]{vmaf}"
        run([self.ffmpeg, "-nostdin", "-v", "error", "-i", joined, "-i", self.source, "-lavfi", graph, "-f", "null", "-"])
        score = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
        return sum(map(int, re.findall(r"\d+", packets))), score


def bytes_at(points, vmaf):
    """Bytes at a VMAF, from (bytes, VMAF) of several CRFs; and True if it was reached."""
    points = sorted(points, key=lambda point: point[1])
    if vmaf > points[-1][1]:
        return points[-1][0], False
    if vmaf < points[0][1]:
        return points[0][0], False
    for (low, least), (high, most) in zip(points, points[1:]):
        if least <= vmaf <= most:
            along = (vmaf - least) / (most - least) if most > least else 0
            return math.exp(math.log(low) + along * math.log(high / low)), True
    return points[0][0], True


def measure_quality(lectern, source, folder, ffmpeg, step):
    folder.mkdir()
    quality = Quality(ffmpeg, source, folder, step)
    tutorial(source, folder)
    heights = [rung[0] for rung in FIXED]
    fixed = {height: quality.of(sorted(folder.glob(f"{height}[0-9]*.ts"), key=number)) for height in heights}
    points = {}

    def encode(crf):
        package = folder / f"crf-{crf}"
        ours(lectern, source, package, "--crf", str(crf), "--no-loudnorm")
        points[crf] = {}
        for height in heights:
            (rung,) = package.glob(f"v/*/{height}p")
            points[crf][height] = quality.of([rung / "init.mp4", *sorted(rung.glob("*.m4s"), key=number)])
        return package

    def equal(height):
        return bytes_at([found[height] for found in points.values()], fixed[height][1])

    for crf in CRFS:
        encode(crf)
    while True:
        missed = [height for height in heights if not equal(height)[1]]
        above = any(fixed[height][1] > points[min(points)][height][1] for height in missed)
        below = any(fixed[height][1] < points[max(points)][height][1] for height in missed)
        if above and min(points) > FURTHEST_CRFS[0]:
            encode(max(min(points) - 5, FURTHEST_CRFS[0]))
        elif below and max(points) < FURTHEST_CRFS[1]:
            encode(min(max(points) + 5, FURTHEST_CRFS[1]))
        else:
            break
    total = 0
    for height in heights:
        bytes_fixed, vmaf = fixed[height]
        here, is_reached = equal(height)
        total += here
        default = points[23][height]
        note = f"{here / 1e6:.2f} MB for {bytes_fixed / 1e6:.2f}; CRF 23: VMAF {default[1]:.1f}, {default[0] / 1e6:.2f} MB"
        note += "" if is_reached else "; not reached, our nearest counts"
        show(f"   {height}p, at VMAF {vmaf:.1f}", f"{100 - 100 * here / bytes_fixed:.1f} %", note=note)
    all_fixed = sum(found[0] for found in fixed.values())
    fewer = 100 - 100 * total / all_fixed
    show("d) fewer bytes over the ladder, equal VMAF", f"{fewer:.1f} %", "≥ 41 %", fewer >= 41)
    default = sum(found[0] for found in points[23].values())
    show("   as it comes, CRF 23, not at equal VMAF", f"{100 - 100 * default / all_fixed:.1f} %")


def number(path):
    return int(re.findall(r"\d+", path.stem)[-1])


def peak_memory(lectern, source, folder):
    """Peak MB of the packager's process, read from the kernel until it ends."""
    shutil.rmtree(folder, ignore_errors=True)
    args = [lectern, "package", source, "-o", folder, "--ladder", "240", "--preset", "ultrafast"]
    child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most, done = 0, threading.Event()
    waiting = threading.Thread(target=lambda: (child.wait(), done.set()))
    waiting.start()
    while not done.wait(0.004):
        try:
            mark = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child.pid}/status").read_text())
        except OSError:
            continue
        most = max(most, int(mark[1]) * 1024 if mark else 0)
    if child.returncode:
        raise SystemExit(f"{args}: exit {child.returncode}")
    return most / 1e6


def measure_memory(lectern, source, folder, hours):
    folder.mkdir()
    minute = folder / "minute.mp4"
    # One frame a second, so that hours are quick; a lecture's pictures are fewer than its frames in any case.
    slow = ["-stream_loop", "-1", "-i", source, "-t", "60", "-vf", "setpts=N/TB,fps=1,scale=-2:240"]
    run([*QUIET, *slow, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "32k", minute])
    marks = []
    for length in (1, round(60 * hours)):
        looped = folder / f"{length}.mp4"
        run([*QUIET, "-stream_loop", length - 1, "-i", minute, "-c", "copy", looped])
        marks.append(peak_memory(lectern, looped, folder / "package"))
        told = "a minute" if length == 1 else f"{hours:g} h"
        show(f"e) our own process at most, {told}", f"{marks[-1]:.1f} MB", f"< {MEMORY_MB} MB", marks[-1] < MEMORY_MB)
    growth = (marks[1] - marks[0]) / (hours - 1 / 60)
    reach = f"{MEMORY_MB} MB after {(MEMORY_MB - marks[0]) / growth:.0f} h" if growth > 0.5 else ""
    show("   growth with an hour", f"{growth:.1f} MB", note=reach)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lectern", type=Path, default=Path("target/release/lectern"))
    parser.add_argument("--vmaf-ffmpeg", help="an ffmpeg with libvmaf")
    parser.add_argument("--clips", type=Path, default=Path(os.environ.get("LECTERN_CLIPS", "../shared/clips")))
    parser.add_argument("--only", default="costs,bytes,memory", help="measurements to run")
    parser.add_argument("--seconds", type=int, help="duration of each footage")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    seconds = args.seconds or (5 if args.quick else 20)
    rounds = args.rounds or (2 if args.quick else 5)
    only = args.only.split(",")
    lectern = args.lectern.absolute()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    version = output(["ffmpeg", "-version"]).split()[2]
    print(f"{os.cpu_count()} cores, load {load}; ffmpeg {version}, preset {PRESET}; {rounds} rounds: median (lowest–highest)")
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as temporary:
        folder = Path(temporary)
        clips = footage(folder, lectern, args.clips, seconds, args.quick)
        if len(clips) == 1:
            print(f"no clips in `{args.clips}`: the sample lecture alone")
        for name, source, provenance in clips:
            print(f"\n{name}: {provenance}")
            if "costs" in only:
                measure_cost(lectern, source, folder / f"{name}-cost", rounds)
            if "bytes" in only and args.vmaf_ffmpeg:
                measure_quality(lectern, source, folder / f"{name}-quality", args.vmaf_ffmpeg, 10 if args.quick else 5)
        if "bytes" in only and not args.vmaf_ffmpeg:
            print("\nno ffmpeg with libvmaf: bytes at equal VMAF were not measured")
        if "memory" in only:
            name, source, _ = clips[0]
            print(f"\nmemory: {name} at 240 lines and one frame a second, looped")
            measure_memory(lectern, source, folder / "memory", 0.5 if args.quick else 4)


if __name__ == "__main__":
    main()
