"""A model of the relay's rules for channels, written from the text of `spec/` alone.

    python3 spec/models/channel.py                    explore every small world
    python3 spec/models/channel.py --quick            the same worlds, less deep
    python3 spec/models/channel.py --break NAME       explore a model that is wrong on purpose
    python3 spec/models/channel.py --breaks           do so for each NAME: each must be caught
    python3 spec/models/channel.py --traces OUT.json --count N --seed S
                                                      write random walks with their answers
    python3 spec/models/channel.py --check            whether channel-traces.json is what the model
                                                      says today; goes with --quick

The exit code is 1 when something that must not be was found.
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from walks import walks_as_text
from worlds import BREAKS, explore_all

# The walks that relay/rules/tests/it/oracle.rs replays.
TRACES = Path(__file__).with_name("channel-traces.json")


def main():
    arguments = argparse.ArgumentParser(description="The model of the channel rules.")
    arguments.add_argument("--quick", action="store_true", help="less deep")
    arguments.add_argument("--break", dest="wrong", choices=BREAKS, help="explore a wrong model")
    arguments.add_argument("--breaks", action="store_true", help="each wrong model in turn")
    arguments.add_argument("--traces", metavar="OUT.json", help="write random walks")
    arguments.add_argument("--count", type=int, default=225, help="how many walks")
    arguments.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    arguments.add_argument("--check", action="store_true", help="compare channel-traces.json")
    chosen = arguments.parse_args()
    if chosen.traces:
        Path(chosen.traces).write_bytes(walks_as_text(chosen.count, chosen.seed).encode())
        return 0
    if chosen.check and TRACES.read_bytes() != walks_as_text(chosen.count, chosen.seed).encode():
        print("channel-traces.json is not what the model says: write it again with --traces")
        return 1
    if chosen.breaks:
        missed = 0
        for wrong in BREAKS:
            violation = explore_all(wrong, True, quiet=True)
            print("%-24s %s" % (wrong, violation or "NOT CAUGHT"))
            missed += violation is None
        return 1 if missed else 0
    violation = explore_all(chosen.wrong, chosen.quick)
    if violation:
        print("violation:", violation)
    return 1 if violation else 0


if __name__ == "__main__":
    sys.exit(main())
