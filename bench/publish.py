#!/usr/bin/env python3
"""`lectern publish` beside `rclone copy`: the same package into the same S3 server, in turns.

    bench/publish.py PACKAGE ENDPOINT BUCKET [--rounds 7]

ENDPOINT is an S3 server on this machine, and BUCKET one of its buckets; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY open
it. Prints wall and CPU seconds of each, and the ratio of each round's throughputs: median and 10 to 90 %.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path


def run(command, env):
    """Wall and CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def spread(values):
    values = sorted(values)
    at = lambda share: values[round(share * (len(values) - 1))]
    return f"{statistics.median(values):8.2f} ({at(0.1):.2f}–{at(0.9):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("endpoint")
    parser.add_argument("bucket")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lectern", default="target/release/lectern")
    args = parser.parse_args()
    files = [path for path in args.package.rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    env = os.environ | {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_PEER_TYPE": "s3",
        "RCLONE_CONFIG_PEER_PROVIDER": "Other",
        "RCLONE_CONFIG_PEER_ENV_AUTH": "true",
        "RCLONE_CONFIG_PEER_ENDPOINT": args.endpoint,
    }
    stamp = int(time.time())
    peers = {
        "lectern publish": lambda at: [
            args.lectern, "publish", str(args.package), f"s3://{args.bucket}/lectern-{stamp}-{at}", "--endpoint", args.endpoint,
        ],
        "rclone copy": lambda at: ["rclone", "copy", str(args.package), f"peer:{args.bucket}/rclone-{stamp}-{at}"],
    }
    figures = {name: [] for name in peers}
    for at in range(args.rounds):
        turn = list(peers) if at % 2 == 0 else list(reversed(peers))
        for name in turn:
            figures[name].append(run(peers[name](at), env))
    print(f"{len(files)} objects, {megabytes:.1f} MB, {args.rounds} rounds: median (10 %–90 %)")
    for name, found in figures.items():
        walls, cpus = zip(*found)
        print(f"  {name:16} wall {spread(walls)} s   CPU {spread(cpus)} s   {megabytes / statistics.median(walls):8.1f} MB/s")
    ours, theirs = figures.values()
    ratios = [their[0] / our[0] for our, their in zip(ours, theirs)]
    print(f"  throughput, ours against theirs {spread(ratios)} ×")


main()
