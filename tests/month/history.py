"""The project of the month: a small program in C, its people, and what they do to it.

All of it follows from a seed, so that different masters see the same history.
"""

import os
import random
import subprocess

PEOPLE = ["ann", "bob", "cid", "dee", "eve"]
MODULES = 8
# Tests that fail by accident, and how often.
FLAKY = {"net": 0.05, "race": 0.1}


class Breakage:
    """A commit that breaks something, and the one that mends it."""

    def __init__(self, at, until, what):
        self.at, self.until, self.what = at, until, what
        # Known once the commits are made.
        self.author = None
        self.mended = False


class Plan:
    """What happens in how many commits: pushes, breakages, a broken slave, an outage."""

    def __init__(self, commits, seed):
        self.commits = commits
        self.rng = random.Random(seed)
        part = commits / 200
        self.breakages = [Breakage(int(first * part), int(last * part), what) for first, last, what
                          in [(31, 48, "syntax"), (92, 111, "test"), (158, 179, "link")]]
        self.disk_full = range(int(60 * part), int(75 * part))
        self.outage = range(int(125 * part), int(133 * part))

    def pushes(self):
        """The commits of each push: a list of numbers, from 1. A commit that mends is alone."""
        number, mends = 1, {breakage.until for breakage in self.breakages}
        while number <= self.commits:
            size = self.rng.choice([1, 1, 2, 3, 5])
            push = []
            while number <= self.commits and len(push) < size:
                if number in mends and push:
                    break
                push.append(number)
                number += 1
                if push[-1] in mends:
                    break
            yield push


class Project:
    """The repository and the programs that the slaves run."""

    def __init__(self, directory, plan, seed):
        self.plan, self.seed = plan, seed
        self.rng = random.Random(seed + 1)
        self.repo = os.path.join(directory, "repo")
        # The same for the slaves, who may lose sight of it.
        self.served = os.path.join(directory, "served")
        self.control = os.path.join(directory, "control")
        self.who = {}
        os.makedirs(self.repo)
        os.symlink(self.repo, self.served)
        os.makedirs(os.path.join(self.control, "runs"))
        for name, text in (("compile", COMPILE), ("test", TEST)):
            with open(os.path.join(self.control, name), "w") as file:
                file.write(text.replace("CONTROL", self.control).replace("SEED", str(seed)))
        self.git("init", "-q", "-b", "main")
        for module in range(MODULES):
            self.write(f"m{module}.c", f"int m{module}(int x)\n{{\n    return x + {module};\n}}\n")
        self.write("main.c", MAIN)
        self.commit("start", "ann")

    def git(self, *words, **env):
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
        env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", **env)
        return subprocess.run(command, cwd=self.repo, env=env, check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()

    def write(self, name, text):
        with open(os.path.join(self.repo, name), "w") as file:
            file.write(text)

    def edit(self, name, old, new):
        with open(os.path.join(self.repo, name)) as file:
            text = file.read()
        assert old in text, (name, old)
        self.write(name, text.replace(old, new, 1))

    def commit(self, text, author):
        self.git("add", "-A")
        name = author.capitalize()
        self.git("commit", "-q", "-m", text, "--author", f"{name} <{author}@example.org>")

    def push(self, numbers):
        """Makes the commits of a push, out of sight until all are there."""
        self.git("checkout", "-q", "-B", "next", "main")
        for number in numbers:
            self.one(number)
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--ff-only", "next")

    def one(self, number):
        author = self.rng.choice(PEOPLE)
        # A quiet corner, which nobody breaks or mends.
        module = self.rng.randrange(3)
        text = f"edit module {module}"
        for breakage in self.plan.breakages:
            if number == breakage.at:
                breakage.author, text = author, "make it better"
                self.edit(*CHANGES[breakage.what])
            elif number == breakage.until:
                author, text, breakage.mended = breakage.author, "mend it", True
                name, old, new = CHANGES[breakage.what]
                self.edit(name, new, old)
        self.edit(f"m{module}.c", "{\n", f"{{\n    /* {number} */\n")
        self.commit(text, author)
        self.who[number] = author

    def set(self, name, is_so):
        """Turns an accident on or off: `full-SLAVE`, or `away` for what slaves check out."""
        if name == "away":
            is_there = os.path.lexists(self.served)
            if is_so and is_there:
                os.remove(self.served)
            elif not is_so and not is_there:
                os.symlink(self.repo, self.served)
            return
        path = os.path.join(self.control, name)
        if is_so:
            open(path, "w").close()
        elif os.path.exists(path):
            os.remove(path)


# What each kind of breakage replaces: file, text, wrong text.
CHANGES = {
    "syntax": ("m4.c", "return x", "retrun x"),
    "test": ("m5.c", "x + 5", "x - 5"),
    "link": ("m6.c", "int m6(", "int m6_renamed("),
}

MAIN = """#include <stdio.h>
#include <string.h>
""" + "".join(f"int m{module}(int);\n" for module in range(MODULES)) + """
static int number;

static void check(int is_good, const char *name)
{
    printf("%sok %d - %s\\n", is_good ? "" : "not ", ++number, name);
}

/* The tests that fail by accident are named by whom calls it. */
static int is_lucky(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
""" + f'    puts("1..{MODULES + 2}");\n' + "".join(
    f'    check(m{module}(1) == {module} + 1, "m{module}");\n' for module in range(MODULES)) + """
    check(is_lucky(argc, argv, "net"), "net");
    check(is_lucky(argc, argv, "race"), "race");
    return 0;
}
"""

# The slave is known by its directory.
COMPILE = """set -e
case $PWD in
*/bot2/*)
    if test -e CONTROL/full-bot2; then
        echo 'main.c: fatal error: error writing to /tmp/cc1.s: No space left on device' >&2
        exit 1
    fi;;
esac
for file in *.c; do
    cc -Wall "$1" -c "$file"
done
cc -o check *.o
"""

# Accidents begin after the first push. They follow from the revision, the builder, and how often it
# was tried.
TEST = """revision=$(git rev-parse HEAD)
runs=CONTROL/runs/$1-$revision
echo run >>"$runs"
count=$(wc -l <"$runs")
unlucky() {
    test -e CONTROL/accidents || return
    drawn=$(printf %s "SEED $1 $2 $revision $count" | cksum | cut -d ' ' -f 1)
    test $((drawn % 1000)) -lt "$3" && echo "$2"
}
failing="$(unlucky "$1" net NET) $(unlucky "$1" race RACE)"
./check $failing
! ./check $failing | grep -q '^not ok'
""".replace("NET", str(int(FLAKY["net"] * 1000))).replace("RACE", str(int(FLAKY["race"] * 1000)))
