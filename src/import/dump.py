"""Writes what a Buildbot configuration configures as one JSON file.

    OLD/bin/python dump.py --out farm.json [--basedir DIR] [--stub NAME] master.cfg

Run it with the Python and in the environment of the old master: Buildbot 0.8 on Python 2.7, 0.9
and later on Python 3. It executes the configuration once, as the master does when it starts, with
all that it does then (reading files, running commands). It starts no service and opens no port.
"""
from __future__ import print_function

import argparse, base64, functools, importlib, inspect, json, os, pkgutil, re, sys  # noqa: E401
import traceback, types  # noqa: E401

PY2, TEXT = sys.version_info[0] == 2, type(u"")
NUMBERS = (int, float) + ((long,) if PY2 else ())  # noqa: F821
DEEPEST, LONGEST_SOURCE = 25, 2000
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
CODE = FUNCTIONS + (staticmethod, classmethod, property, type)
LOCKS = ("MasterLock", "SlaveLock", "WorkerLock")
LISTS = "slaves workers bots builders schedulers change_source sources status services".split()
OF_STEPS = ("haltOnFailure flunkOnWarnings flunkOnFailure warnOnWarnings warnOnFailure alwaysRun "
            "description descriptionDone descriptionSuffix logfiles").split()
UNSEEN = ("buildbot.test", "buildbot.scripts", "buildbot.db", "buildbot.data", "buildbot.mq")
PLAIN = r"buildbot[.](plugins|process[.]remotecommand|util(?![.]service))"

made = {}      # id of a thing -> (thing, class that took the arguments, arguments, place)
makers = {}    # id of what makes a step -> (it, place of the step)
failed = {}    # id of a step -> why it could not be made
notes, roots = [], []  # complaints; directories to which files are relative

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
    path = re.sub(r"\.py[co]$", ".py", os.path.abspath(path))
    inside = [root for root in roots if path.startswith(root + os.sep)]
    return path[len(inside[0]) + 1:] if inside else path

def place_of(thing):
    """Where `thing` is being made: the first frame outside of Buildbot and of its constructors."""
    frame = sys._getframe(2)
    while frame is not None:
        code, names = frame.f_code, frame.f_globals
        first = code.co_varnames[0] if code.co_argcount else None
        building = code.co_name == "__init__" and frame.f_locals.get(first) is thing
        library = (names.get("__name__") or "").startswith(("buildbot.", "twisted.", "zope."))
        if not building and not library and names is not globals():
            return {"file": short(code.co_filename), "line": frame.f_lineno}
        frame = frame.f_back

def by_name(args, kw, *functions):  # the first that names arguments of the call
    signature = getattr(inspect, "getfullargspec", None) or inspect.getargspec
    names = next((n for n in (signature(f).args[1:] for f in functions) if n), [])
    rest = {"*": list(args[len(names):])} if len(args) > len(names) else {}
    return dict(dict(zip(names, args), **kw), **rest)

def wrap(cls):
    """Has the constructor of `cls` tell with which arguments it is called first for a thing."""
    constructor = cls.__dict__["__init__"]
    @functools.wraps(constructor)
    def __init__(self, *args, **kw):
        if id(self) not in made:
            service = getattr(type(self), "checkConfig", constructor)  # takes the same
            place = place_of(self)
            made[id(self)] = (self, cls, by_name(args, kw, constructor, service), place)
            maker = getattr(self, "__dict__", {}).get("_factory")
            makers.setdefault(id(maker), (maker, place))
        try:
            return constructor(self, *args, **kw)
        except Exception as error:
            if not any(base.__name__ == "BuildStep" for base in inspect.getmro(self.__class__)):
                raise
            failed.setdefault(id(self), error)
    cls.__init__ = __init__

def modules_of(package):
    """Loads the modules below a package; not Buildbot's tests, which make errors of warnings."""
    for _, name, is_package in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if name.startswith(UNSEEN) or name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(name)
        except BaseException:  # something optional is not installed
            continue
        if is_package:
            modules_of(module)

def load_buildbot():
    """Loads all of Buildbot that can be loaded, and wraps its constructors."""
    import buildbot
    modules_of(buildbot)
    classes = set()
    for name, module in list(sys.modules.items()):
        if module is not None and name.startswith("buildbot."):
            classes.update(cls for cls in vars(module).values() if inspect.isclass(cls))
    for cls in classes:  # Buildbot looks at the signatures of some of them
        looked_at = not is_own(cls) or re.match(PLAIN, cls.__module__)
        if not looked_at and isinstance(cls.__dict__.get("__init__"), types.FunctionType):
            wrap(cls)
    collect_complaints()
    return buildbot

def collect_complaints():
    original = getattr(sys.modules.get("buildbot.config"), "error", None)
    error = lambda text, *args, **kw: notes.append(TEXT(text))  # noqa: E731
    for name, module in list(sys.modules.items()):
        if original and module is not None and name.startswith("buildbot"):
            vars(module).update((k, error) for k, v in list(vars(module).items()) if v is original)

def nothing(self, name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Nothing

GIVES = {"__getattr__": nothing, "__getitem__": lambda self, key: Nothing,
         "__iter__": lambda self: iter(()), "__len__": lambda self: 0, "__repr__": lambda self: "?"}
# Stands for everything in a module that cannot be had, and for all that such a thing gives.
Nothing = type("Stand", (type,), GIVES)("Nothing", (object,), dict(
    GIVES, __init__=lambda self, *args, **kw: None, __call__=lambda self, *args, **kw: Nothing()))

class Stub(types.ModuleType):
    __path__ = __all__ = []
    __getattr__ = lambda self, name: Nothing  # noqa: E731

class Stubs(object):
    """Finds the modules that are to be done without, and all below them."""
    def __init__(self, names):
        self.names = names
        self.create_module = lambda spec: Stub(spec.name)
        self.exec_module = lambda module: None
        self.load_module = lambda name: sys.modules.setdefault(name, Stub(name))
        for name in [name[:dot.start()] for name in names for dot in re.finditer("[.]", name)]:
            try:
                __import__(name)
            except ImportError:  # what it is in cannot be had, either
                names.append(name)
    def find_module(self, name, path=None):
        return self if any((name + ".").startswith(stub + ".") for stub in self.names) else None
    def find_spec(self, name, path=None, target=None):
        return self.find_module(name) and importlib.machinery.ModuleSpec(name, self)

def function_value(mark, function, depth):
    """A function: its name and place, and the names that it has caught."""
    given = {}
    while isinstance(function, functools.partial):
        given.update(function.keywords or {})
        given.update(("arg%d" % n, arg) for n, arg in enumerate(function.args, 1))
        function = function.func
    owner = getattr(function, "__self__", None)
    function = undecorated(function)
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
        first = code.co_argcount - len(defaults)
        given.update(zip(code.co_varnames[first:code.co_argcount], defaults))
    value = {"!": mark, "name": getattr(function, "__name__", type(function).__name__),
             "file": short(code.co_filename) if code else None,
             "line": code.co_firstlineno if code else None}
    given = caught(given, depth)
    if given:
        value["given"] = given
    try:
        value["source"] = "".join(inspect.getsourcelines(function)[0])[:LONGEST_SOURCE]
    except (IOError, OSError, TypeError, IndexError):
        pass
    return value

def undecorated(function):
    function = getattr(function, "__func__", function)
    while isinstance(getattr(function, "__wrapped__", None), FUNCTIONS):
        function = function.__wrapped__
    return function

def caught(names, depth):
    return dict((k, plain(v, depth + 1)) for k, v in names.items() if is_plain(v))

def is_plain(value, depth=0):
    is_simple = value is None or isinstance(value, (bool, TEXT, str, bytes) + NUMBERS)
    is_data = depth <= 3 and isinstance(value, (dict, list, tuple))
    values = value.values() if isinstance(value, dict) else value
    return is_simple or is_data and all(is_plain(v, depth + 1) for v in values)

def lock_value(access):
    access = access.defaultAccess() if access.__class__.__name__ in LOCKS else access
    lock = access.lockid
    kind = "master" if lock.__class__.__name__ == "MasterLock" else "slave"
    single = getattr(lock, "maxCountForSlave", None) or getattr(lock, "maxCountForWorker", None)
    value = {"!": "lock", "name": lock.name, "kind": kind, "mode": access.mode,
             "max_count": getattr(lock, "maxCount", 1)}
    return dict(value, max_count_for_slave=plain(single)) if single else value

def special(value, depth):
    """What is neither plain data nor a function. Classes decide: objects may have every name."""
    def form(mark, **parts):
        return dict([(k, plain(v, depth + 1)) for k, v in parts.items()], **{"!": mark})
    if isinstance(value, type(re.compile(""))):
        return form("regex", pattern=value.pattern, flags=value.flags & ~32)
    if inspect.isclass(value):
        return form("class", name=value.__name__)
    kind = value.__class__.__name__
    base, custom = nearest(value.__class__)
    kinds = [c.__name__ for c in inspect.getmro(value.__class__) if is_own(c)]
    if "WithProperties" in kinds:
        lambdas = getattr(value, "lambda_subs", None) or {}
        return form("with_properties", text=value.fmtstring, args=value.args, kw=lambdas)
    if "Interpolate" in kinds:
        more = {} if kind == "Interpolate" else {"class": kind}
        return form("interpolate", text=value.fmtstring, args=value.args, kw=value.kwargs, **more)
    if "Property" in kinds:
        return form("property", name=value.key, default=value.default,
                    default_when_false=bool(value.defaultWhenFalse))
    if "Secret" in kinds or "_SecretRenderer" in kinds:
        return form("secret", name=value.secret_name)
    if "_Renderer" in kinds:
        function = value.__dict__.get("fn") or value.__dict__.get("getRenderingFor")
        if getattr(value, "args", None) or getattr(value, "kwargs", None):
            function = functools.partial(function, *value.args, **value.kwargs)
        return function_value("renderer", function, depth)
    if "LockAccess" in kinds or kind in LOCKS:
        return lock_value(value)
    if "Obfuscated" in kinds:
        return form("hidden", real=value.real, shown=value.fake)
    args = made.get(id(value), (None, None, {}))[2]
    if "ChangeFilter" in kinds:
        own = vars(custom[0]).get("filter_change") if custom else None
        return form("change_filter", args=dict(args, filter_fn=own) if own else args)
    for mark, method in (("renderer", "getRenderingFor"), ("function", "__call__")):
        has_it = any(method in vars(cls) for cls in inspect.getmro(value.__class__))
        if custom and has_it and value.__class__ is not Nothing:
            function = function_value(mark, getattr(value.__class__, method), depth)
            function.update(name=kind, given=caught(vars(value), depth))
            return dict((k, v) for k, v in function.items() if v != {})
    return form("object", custom=[c.__name__ for c in custom], args=args,
                **{"class": base.__name__ if base else None})

def plain(value, depth=0):
    """A value of the configuration as JSON."""
    if value is None or isinstance(value, (bool,) + NUMBERS):
        return TEXT(value) if value in (float("inf"), -float("inf")) or value != value else value
    if isinstance(value, bytes):  # on Python 2, every text without a `u`
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"!": "bytes", "base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, TEXT):
        return TEXT(value)
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
    own = [item for cls in reversed(custom) for item in vars(cls).items()]
    codes = dict((name, getattr(undecorated(v), "__code__", None)) for name, v in own)
    return [{"name": name, "file": short(code.co_filename), "line": code.co_firstlineno}
            for name, code in sorted(codes.items()) if code is not None and name[:2] != "__"]

def attributes_of(thing, custom, given, of_steps):
    own = [item for cls in reversed(custom) for item in vars(cls).items() if item[0][:2] != "__"]
    found = dict((name, plain(value)) for name, value in own if not isinstance(value, CODE))
    for name in OF_STEPS if of_steps else ():
        if name not in given and hasattr(thing, name):
            found[name] = plain(getattr(thing, name))
    return found

def thing_value(thing, place=None, of_steps=False):
    """A slave, a step, a scheduler and so on, as it was made."""
    if isinstance(thing, (list, tuple)):  # a slave as name and password
        return {"class": None, "args": dict(zip(("name", "password"), plain(list(thing)))),
                "name": plain(thing[0]), "at": None}
    _, _, given, made_at = made.get(id(thing), (None, None, {}, None))
    base, custom = nearest(thing.__class__)
    name = getattr(thing, "slavename", None) or getattr(thing, "name", None)
    value = {"class": base.__name__ if base else None, "args": plain(given), "at": place or made_at,
             "name": plain(name) if isinstance(name, (str, TEXT)) else None}
    if custom:
        value.update(custom=[cls.__name__ for cls in custom], overrides=overrides_of(custom),
                     attributes=attributes_of(thing, custom, given, of_steps))
    return value

def own_arguments(maker, cls):  # what a constructor of the farm's own was given
    owner = [base for base in inspect.getmro(cls) if "__init__" in vars(base)][0]
    args, kw = ((), maker[1]) if isinstance(maker, tuple) else (maker.args, maker.kwargs)
    return {} if is_own(owner) else {"own": plain(by_name(args, kw, vars(owner)["__init__"]))}

def step_value(maker):
    place = makers.get(id(maker), (None, None))[1]
    try:  # before 0.8.6 a class with arguments
        step = maker[0](**maker[1]) if isinstance(maker, tuple) else maker.buildStep()
        error = failed.get(id(step))
    except Exception as raised:
        step, error = None, raised
    if error is None:
        return dict(thing_value(step, place, True), **own_arguments(maker, step.__class__))
    return {"class": None, "args": {}, "name": None, "at": place,
            "error": "%s: %s" % (type(error).__name__, error)}

def factory_value(factory):
    base = nearest(factory.__class__)[0] or factory.__class__
    return {"class": base.__name__, "workdir": plain(getattr(factory, "workdir", None)),
            "steps": [step_value(step) for step in factory.steps]}

def builder_value(builder, factories):
    if isinstance(builder, dict):
        factory, value = builder["factory"], {"class": None}
        value["args"] = plain(dict(builder, factory=None))
    else:
        factory, value = builder.factory, thing_value(builder)
        value.pop("name")
        for key in ("builddir", "slavebuilddir", "workerbuilddir"):
            if getattr(builder, key, None):
                value["args"].setdefault(key, plain(getattr(builder, key)))
    value["args"].pop("factory", None)
    value["factory"] = at = [known is factory for known in factories + [factory]].index(True)
    factories[at:] = factories[at:] or [factory]
    return value

def farm(config, name, version):
    def things(*keys):
        lists = [config.get(key) or [] for key in keys]
        lists = [v if isinstance(v, (list, tuple)) else [v] for v in lists]
        return [thing_value(thing) for things in lists for thing in things]
    factories = []
    builders = [builder_value(b, factories) for b in config.get("builders") or []]
    return {
        "format": "buildmaster farm", "version": 1, "notes": notes, "builders": builders,
        "made": {"buildbot": version, "python": sys.version.split()[0], "config": name},
        "settings": dict((key, plain(v)) for key, v in config.items() if key not in LISTS),
        "slaves": things("slaves", "workers", "bots"), "schedulers": things("schedulers"),
        "factories": [factory_value(f) for f in factories], "status": things("status", "services"),
        "change_sources": things("change_source", "sources")}

def main():
    parser = argparse.ArgumentParser(description="Writes what a Buildbot configures as JSON.")
    parser.add_argument("config", help="the configuration, for example master.cfg")
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--basedir", help="the directory to be in; default: that of the file")
    parser.add_argument("--stub", action="append", default=[], help="a module to do without")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    config, out = os.path.abspath(options.config), os.path.abspath(options.out)
    directory = os.path.abspath(options.basedir or os.path.dirname(config))
    os.chdir(directory)
    sys.path.append(directory)
    roots.append(os.path.dirname(config))
    roots.extend(sorted((os.path.abspath(p) for p in sys.path if p), key=len, reverse=True))
    buildbot, names = load_buildbot(), {"basedir": directory, "__file__": config}
    sys.meta_path.insert(0, Stubs(options.stub))
    try:
        with open(config, "rb") as file:
            exec(compile(file.read(), config, "exec", 0, True), names)
        dump = farm(names["BuildmasterConfig"], os.path.basename(config), buildbot.version)
    except Exception as error:
        traceback.print_exc()
        missing = re.match(r"No module named '?([\w.]+)", str(error))
        if isinstance(error, ImportError) and missing:
            print("This module is not here: install it, or add `--stub %s`." % missing.group(1),
                  file=sys.stderr)
        return 1
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        os.chmod(out, 0o600)
        f.write(json.dumps(dump, sort_keys=True, indent=1, separators=(",", ": ")).encode() + b"\n")
    lengths = [len(factory["steps"]) for factory in dump["factories"]]
    counts = tuple(len(dump[key]) for key in ("slaves", "builders", "factories")) + (
        sum(lengths), sum(lengths[b["factory"]] for b in dump["builders"]), len(dump["schedulers"]))
    print("The configuration was executed, and did what it does when a master starts.\n" + out +
          " has passwords of the farm (mode 0600): %d slaves, %d builders, %d factories, "
          "%d steps (%d as run), %d schedulers" % counts, file=sys.stderr)
    return 0

if __name__ == "__main__":
    sys.exit(main())
