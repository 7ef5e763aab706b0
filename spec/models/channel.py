"""A model of the relay's rules for channels, written from the text of `spec/` alone.

    python3 spec/models/channel.py                    explore every small world
    python3 spec/models/channel.py --quick            the same worlds, less deep
    python3 spec/models/channel.py --break NAME       explore a model that is wrong on purpose
    python3 spec/models/channel.py --breaks           do so for each NAME: each must be caught
    python3 spec/models/channel.py --traces OUT.json --count N --seed S
                                                      write random walks with their answers

The exit code is 1 when something that must not be was found.
"""

import argparse
import sys

sys.dont_write_bytecode = True

from walks import write_walks
from worlds import BREAKS, explore_all


def main():
    arguments = argparse.ArgumentParser(description="The model of the channel rules.")
    arguments.add_argument("--quick", action="store_true", help="less deep")
    arguments.add_argument("--break", dest="wrong", choices=BREAKS, help="explore a wrong model")
    arguments.add_argument("--breaks", action="store_true", help="each wrong model in turn")
    arguments.add_argument("--traces", metavar="OUT.json", help="write random walks")
    arguments.add_argument("--count", type=int, default=200, help="how many walks")
    arguments.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    chosen = arguments.parse_args()
    if chosen.traces:
        write_walks(chosen.traces, chosen.count, chosen.seed)
        return 0
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
