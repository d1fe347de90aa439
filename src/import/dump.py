"""Writes what a Buildbot configuration configures as one JSON file.

    OLD/bin/python dump.py --out farm.json [--basedir DIR] [--stub NAME] master.cfg

Run it with the Python and in the environment of the old master: Buildbot 0.8 on Python 2.7, 0.9
and later on Python 3. It executes the configuration once, as the master does when it starts. It
starts no service, opens no port and loads no database. What the configuration itself does when it
is executed (reading files, running commands) it does as always.
"""
from __future__ import print_function

import argparse, base64, functools, importlib, inspect, json  # noqa: E401
import os, pkgutil, re, sys, traceback, types  # noqa: E401

PY2 = sys.version_info[0] == 2
TEXT = type(u"")
NUMBERS = (int, float) + ((long,) if PY2 else ())  # noqa: F821
DEEPEST = 25
LONGEST_SOURCE = 2000
REGEX = type(re.compile(""))
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
LOCKS = ("MasterLock", "SlaveLock", "WorkerLock")
LISTS = ("slaves", "workers", "bots", "builders", "schedulers", "change_source", "sources",
         "status", "services")
OF_STEPS = ("haltOnFailure", "flunkOnWarnings", "flunkOnFailure", "warnOnWarnings",
            "warnOnFailure", "alwaysRun", "description", "descriptionDone", "descriptionSuffix",
            "logfiles")
UNSEEN = ("buildbot.test", "buildbot.scripts", "buildbot.db", "buildbot.data", "buildbot.mq")
PLAIN = ("buildbot.plugins", "buildbot.process.remotecommand", "buildbot.util")

made = {}      # id of a thing -> (thing, class that took the arguments, arguments, place)
makers = {}    # id of what makes a step -> (it, place of the step)
notes = []
roots = []     # directories to which files are relative

def is_own(cls):
    """Whether a class is Buildbot's."""
    return ((getattr(cls, "__module__", None) or "") + ".").startswith("buildbot.")

def nearest(cls):
    """The first class of Buildbot's among the bases, and the farm's own classes before it."""
    bases = [base for base in inspect.getmro(cls) if base is not object]
    own = [n for n, base in enumerate(bases) if is_own(base)]
    return (bases[own[0]], bases[:own[0]]) if own else (None, bases)

def short(path):
    """A file, relative to the configuration's directory or one of the module path."""
    path = os.path.abspath(path)
    if path.endswith((".pyc", ".pyo")):
        path = path[:-1]
    for root in roots:
        if path.startswith(root + os.sep):
            return path[len(root) + 1:]
    return path

def place_of(thing):
    """Where `thing` is being made: the first frame outside of Buildbot and of its constructors."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        module = frame.f_globals.get("__name__") or ""
        first = code.co_varnames[0] if code.co_argcount else None
        building = code.co_name == "__init__" and frame.f_locals.get(first) is thing
        if not building and frame.f_globals is not globals() and not module.startswith(
                ("buildbot.", "twisted.", "zope.")):
            return {"file": short(code.co_filename), "line": frame.f_lineno}
        frame = frame.f_back
    return None

def wrap(cls):
    """Has the constructor of `cls` tell with which arguments it is called first for a thing."""
    constructor = cls.__dict__["__init__"]
    names = (getattr(inspect, "getfullargspec", None) or inspect.getargspec)(constructor).args[1:]

    @functools.wraps(constructor)
    def __init__(self, *args, **kw):
        if id(self) not in made:
            given = dict(zip(names, args))
            if len(args) > len(names):
                given["*"] = list(args[len(names):])
            given.update(kw)
            place = place_of(self)
            made[id(self)] = (self, cls, given, place)
            maker = getattr(self, "__dict__", {}).get("_factory")
            if maker is not None:
                makers.setdefault(id(maker), (maker, place))
        return constructor(self, *args, **kw)

    try:
        cls.__init__ = __init__
    except (AttributeError, TypeError):
        pass

def load_buildbot():
    """Loads all of Buildbot that can be loaded, and wraps its constructors."""
    import buildbot
    for _, name, _ in pkgutil.walk_packages(buildbot.__path__, "buildbot.", lambda name: None):
        try:
            if not name.startswith(UNSEEN) and not name.endswith("__main__"):
                importlib.import_module(name)
        except BaseException:  # something optional is not installed
            pass
    seen = set()
    for name, module in sorted(sys.modules.items()):
        if module is None or not name.startswith("buildbot."):
            continue
        for cls in list(vars(module).values()):
            if not isinstance(cls, type) and not (PY2 and isinstance(cls, types.ClassType)):
                continue
            if not is_own(cls) or cls in seen or issubclass(cls, BaseException):
                continue
            if cls.__module__.startswith(PLAIN):  # Buildbot looks at their signatures
                continue
            seen.add(cls)
            if isinstance(cls.__dict__.get("__init__"), types.FunctionType):
                wrap(cls)
    collect_complaints()
    return buildbot

def collect_complaints():
    original = getattr(sys.modules.get("buildbot.config"), "error", None)
    if original is None:
        return

    def error(text, *args, **kw):
        notes.append(TEXT(text))
    for name, module in list(sys.modules.items()):
        if module is not None and name.startswith("buildbot"):
            for key in [k for k, v in vars(module).items() if v is original]:
                setattr(module, key, error)

class Nothing(object):
    """Stands for everything in a module that cannot be had; its calls give nothing."""
    def __init__(self, *args, **kw):
        pass

    def __call__(self, *args, **kw):
        return None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

class Stub(types.ModuleType):
    __path__ = []
    __getattr__ = lambda self, name: Nothing  # noqa: E731

def add_stubs(names):
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            if count == len(parts) or part not in sys.modules:
                sys.modules[part] = Stub(part)

def function_value(mark, function, depth):
    """A function: its name and place, and the names that it has caught."""
    given = {}
    while isinstance(function, functools.partial):
        given.update(function.keywords or {})
        if function.args:
            given.update(zip(["arg%d" % n for n in range(1, 50)], function.args))
        function = function.func
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if owner is not None and not inspect.isclass(owner) and not inspect.ismodule(owner):
        given.update(getattr(owner, "__dict__", {}))
    if code is not None:
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                given[name] = cell.cell_contents
            except ValueError:
                pass
        defaults = function.__defaults__ or ()
        if defaults:
            given.update(zip(code.co_varnames[:code.co_argcount][-len(defaults):], defaults))
    value = {"!": mark, "name": getattr(function, "__name__", type(function).__name__),
             "file": short(code.co_filename) if code else None,
             "line": code.co_firstlineno if code else None}
    caught = dict((k, plain(v, depth + 1)) for k, v in given.items() if is_plain(v))
    if caught:
        value["given"] = caught
    try:
        value["source"] = "".join(inspect.getsourcelines(function)[0])[:LONGEST_SOURCE]
    except (IOError, OSError, TypeError, IndexError):
        pass
    return value

def is_plain(value, depth=0):
    if value is None or isinstance(value, (bool, TEXT, str, bytes) + NUMBERS):
        return True
    if depth > 3:
        return False
    values = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list, tuple)) and all(is_plain(v, depth + 1) for v in values)

def lock_value(access):
    access = access.defaultAccess() if access.__class__.__name__ in LOCKS else access
    lock = access.lockid
    kind = "master" if lock.__class__.__name__ == "MasterLock" else "slave"
    single = getattr(lock, "maxCountForSlave", None) or getattr(lock, "maxCountForWorker", None)
    value = {"!": "lock", "name": lock.name, "kind": kind, "mode": access.mode,
             "max_count": getattr(lock, "maxCount", 1)}
    return dict(value, max_count_for_slave=plain(single)) if single else value

def special(value, depth):
    """What is neither plain data nor a function."""
    def inner(v):
        return plain(v, depth + 1)
    kind = value.__class__.__name__
    if isinstance(value, REGEX):
        return {"!": "regex", "pattern": inner(value.pattern), "flags": value.flags & ~32}
    if inspect.isclass(value):
        return {"!": "class", "name": value.__name__}
    if kind == "WithProperties":
        return {"!": "with_properties", "text": inner(value.fmtstring), "args": inner(value.args),
                "kw": inner(getattr(value, "lambda_subs", None) or {})}
    if hasattr(value, "fmtstring") and hasattr(value, "kwargs"):
        form = {"!": "interpolate", "text": inner(value.fmtstring), "args": inner(value.args),
                "kw": inner(value.kwargs)}
        if kind != "Interpolate":
            form["class"] = kind
        return form
    if kind == "Property" and hasattr(value, "key"):
        return {"!": "property", "name": inner(value.key), "default": inner(value.default),
                "default_when_false": bool(value.defaultWhenFalse)}
    if hasattr(value, "secret_name"):
        return {"!": "secret", "name": inner(value.secret_name)}
    if kind == "_Renderer":
        function = value.__dict__.get("fn") or value.__dict__.get("getRenderingFor")
        if getattr(value, "args", None) or getattr(value, "kwargs", None):
            function = functools.partial(function, *value.args, **value.kwargs)
        return function_value("renderer", function, depth)
    if kind == "LockAccess" or kind in LOCKS:
        return lock_value(value)
    if kind == "Obfuscated":
        return {"!": "hidden", "real": inner(value.real), "shown": inner(value.fake)}
    base, custom = nearest(value.__class__)
    if base is None or custom:
        rendering = getattr(value.__class__, "getRenderingFor", None)
        if rendering is not None and not is_own(value.__class__):
            form = function_value("renderer", functools.partial(rendering), depth)
            form["name"] = kind
            fields = dict((k, inner(v)) for k, v in vars(value).items() if is_plain(v))
            form.pop("given", None)
            return dict(form, given=fields) if fields else form
    known = made.get(id(value))
    args = known[2] if known else {}
    if base is not None and base.__name__ == "ChangeFilter":
        return {"!": "change_filter", "args": inner(args)}
    return {"!": "object", "class": base.__name__ if base else None,
            "custom": [c.__name__ for c in custom], "args": inner(args)}

def plain(value, depth=0):
    """A value of the configuration as JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, bytes):  # on Python 2, every text without a `u`
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"!": "bytes", "base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, TEXT):
        return TEXT(value)
    if isinstance(value, NUMBERS):
        return value
    if depth > DEEPEST:
        return {"!": "deep"}
    if isinstance(value, dict):
        return dict((k if isinstance(k, str) else TEXT(k), plain(v, depth + 1))
                    for k, v in value.items())
    if isinstance(value, (list, tuple)):
        if not PY2 and len(value) == 3 and value[0] == "obfuscated":
            return {"!": "hidden", "real": plain(value[1]), "shown": plain(value[2])}
        return [plain(v, depth + 1) for v in value]
    if isinstance(value, (set, frozenset)):
        values = [plain(v, depth + 1) for v in value]
        return {"!": "set", "values": sorted(values, key=lambda v: json.dumps(v, sort_keys=True))}
    if isinstance(value, FUNCTIONS):
        return function_value("function", value, depth)
    return special(value, depth)

def overrides_of(custom):
    found = {}
    for cls in reversed(custom):
        for name, value in vars(cls).items():
            value = getattr(value, "__func__", value)
            code = getattr(value, "__code__", None)
            if code is not None and not name.startswith("__"):
                found[name] = {"name": name, "file": short(code.co_filename),
                               "line": code.co_firstlineno}
    return [found[name] for name in sorted(found)]

def attributes_of(thing, custom, given, of_steps):
    found = {}
    for cls in reversed(custom):
        for name, value in vars(cls).items():
            if not name.startswith("__") and is_plain(value):
                found[name] = plain(value)
    for name in OF_STEPS if of_steps else ():
        if name not in given and hasattr(thing, name):
            found[name] = plain(getattr(thing, name))
    return found

def thing_value(thing, place=None, of_steps=False):
    """A slave, a step, a scheduler and so on, as it was made."""
    if isinstance(thing, (list, tuple)):  # a slave as name and password
        return {"class": None, "args": dict(zip(("name", "password"), plain(list(thing)))),
                "name": plain(thing[0]), "at": None}
    _, _, given, made_at = made.get(id(thing)) or (None, None, {}, None)
    base, custom = nearest(thing.__class__)
    name = getattr(thing, "slavename", None) or getattr(thing, "name", None)
    value = {"class": base.__name__ if base else None, "args": plain(given),
             "name": plain(name) if isinstance(name, (str, TEXT)) else None,
             "at": place or made_at}
    if custom:
        value["custom"] = [cls.__name__ for cls in custom]
        value["overrides"] = overrides_of(custom)
        value["attributes"] = attributes_of(thing, custom, given, of_steps)
    return value

def step_value(maker):
    place = makers.get(id(maker), (None, None))[1]
    try:
        if isinstance(maker, tuple):  # before 0.8.6
            step = maker[0](**maker[1])
        else:
            step = maker.buildStep()
    except Exception as error:
        return {"class": None, "args": {}, "name": None, "at": place,
                "error": "%s: %s" % (type(error).__name__, error)}
    return thing_value(step, place, True)

def factory_value(factory):
    base, _ = nearest(factory.__class__)
    return {"class": base.__name__ if base else factory.__class__.__name__,
            "workdir": plain(getattr(factory, "workdir", None)),
            "steps": [step_value(step) for step in factory.steps]}

def builder_value(builder, factories):
    if isinstance(builder, dict):
        given = dict(builder)
        factory = given.pop("factory")
        value = {"class": None, "args": plain(given)}
    else:
        value = thing_value(builder)
        value.pop("name")
        factory = builder.factory
        for key in ("builddir", "slavebuilddir", "workerbuilddir"):
            directory = getattr(builder, key, None)
            if directory:
                value["args"].setdefault(key, plain(directory))
    value["args"].pop("factory", None)
    numbers = [n for n, known in enumerate(factories) if known is factory]
    if not numbers:
        factories.append(factory)
        numbers = [len(factories) - 1]
    value["factory"] = numbers[0]
    return value

def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]

def farm(config, name, version):
    def things(*keys):
        return [thing_value(thing) for key in keys for thing in as_list(config.get(key))]
    factories = []
    builders = [builder_value(b, factories) for b in as_list(config.get("builders"))]
    return {
        "format": "buildmaster farm", "version": 1, "notes": notes, "builders": builders,
        "made": {"buildbot": version, "python": sys.version.split()[0], "config": name},
        "settings": dict((key, plain(v)) for key, v in config.items() if key not in LISTS),
        "slaves": things("slaves", "workers", "bots"),
        "factories": [factory_value(f) for f in factories],
        "schedulers": things("schedulers"),
        "change_sources": things("change_source", "sources"),
        "status": things("status", "services"),
    }

def execute(path):
    """Executes the configuration; what it calls `BuildmasterConfig`."""
    names = {"basedir": os.getcwd(), "__file__": path}
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    exec(code, names)
    return names["BuildmasterConfig"]

def write(path, text):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.chmod(path, 0o600)
        file.write(text.encode("ascii"))

def counts(dump):
    lengths = [len(f["steps"]) for f in dump["factories"]]
    return "%d slaves, %d builders, %d factories, %d steps (%d as run), %d schedulers" % (
        len(dump["slaves"]), len(dump["builders"]), len(lengths), sum(lengths),
        sum(lengths[b["factory"]] for b in dump["builders"]), len(dump["schedulers"]))

def main():
    parser = argparse.ArgumentParser(description="Writes what a Buildbot configures as JSON.")
    parser.add_argument("config", help="the configuration, for example master.cfg")
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--basedir", help="the directory to be in; default: that of the file")
    parser.add_argument("--stub", action="append", default=[], help="a module to do without")
    options = parser.parse_args()
    config, out = os.path.abspath(options.config), os.path.abspath(options.out)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    directory = os.path.abspath(options.basedir or os.path.dirname(config))
    os.chdir(directory)
    sys.path.append(directory)
    roots.append(os.path.dirname(config))
    roots.extend(sorted((os.path.abspath(p) for p in sys.path if p), key=len, reverse=True))
    buildbot = load_buildbot()
    add_stubs(options.stub)
    try:
        dump = farm(execute(config), os.path.basename(config), buildbot.version)
    except Exception as error:
        traceback.print_exc()
        if isinstance(error, ImportError):
            name = getattr(error, "name", None) or str(error).split()[-1].strip("'")
            print("This module is not here: install it, or add `--stub %s`." % name, file=sys.stderr)
        return 1
    write(out, json.dumps(dump, sort_keys=True, indent=1, separators=(",", ": ")) + "\n")
    print("The configuration was executed, and did what it does when a master starts.\n"
          "%s has passwords of the farm (mode 0600): %s" % (out, counts(dump)), file=sys.stderr)
    return 0

if __name__ == "__main__":
    sys.exit(main())
