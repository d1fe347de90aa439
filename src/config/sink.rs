//! Collects what is found while a configuration is read: mistakes, warnings, and what it needs.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use super::class::Class;
use super::needs::Need;
use super::places::Places;
use super::property_names::PropertyNames;
use super::report::{ConfigError, told_once};
use super::shape::Shape;
use super::shared::Shared;
use super::template::SecretSource;
use super::trace::{Trace, Wanted};
use super::visible::KnownValues;

/// Collects errors and warnings.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    /// The files.
    pub(super) places: &'a Places,
    /// Lines that are not TOML, with the number of their file. Mistakes in their keys, or in
    /// references to them, follow from that and are not reported.
    broken_lines: BTreeSet<(usize, usize)>,
    /// Kinds of which entries are left out because they have mistakes; what refers to them is not
    /// told (CFL-63).
    pub(super) incomplete: BTreeSet<&'static str>,
    /// The names of the variables, which are known only in braces.
    pub(super) variables: BTreeSet<String>,
    /// Where the keys begin that bundles of defaults have.
    pub(super) bundled: BTreeSet<usize>,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<ConfigError>>,
    needs: RefCell<Vec<Need>>,
    /// The secrets that were read and not taken yet.
    secrets: RefCell<Vec<SecretSource>>,
    /// What is known of `[values]`, as soon as that was read.
    pub(super) values: OnceCell<KnownValues>,
    /// Names of properties that the file sets and asks for.
    pub(super) properties: RefCell<PropertyNames>,
    /// The shape of the whole file, as soon as reading began.
    pub(super) root: OnceCell<&'static Shape>,
    /// Who watches which forms of values are wanted.
    watcher: Option<&'a Trace>,
    /// What was compiled for equal texts.
    pub(super) shared: Shared,
    /// Schedulers that steps trigger, which are read after the steps.
    triggers: RefCell<Vec<Triggered>>,
    /// Whether steps may trigger any scheduler: its name is known only in the build.
    pub(super) triggers_any: Cell<bool>,
}

/// The name of a scheduler in a step that triggers it.
#[derive(Debug)]
pub(super) struct Triggered {
    pub(super) name: String,
    pub(super) span: Range<usize>,
    /// What the step is called.
    pub(super) label: Rc<str>,
}

impl<'a> Sink<'a> {
    /// A sink without errors for these files.
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            broken_lines: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            variables: BTreeSet::new(),
            bundled: BTreeSet::new(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            needs: RefCell::default(),
            secrets: RefCell::default(),
            values: OnceCell::new(),
            properties: RefCell::default(),
            shared: Shared::default(),
            triggers: RefCell::default(),
            triggers_any: Cell::new(false),
            root: OnceCell::new(),
            watcher: None,
        }
    }

    /// Has `trace` watch which forms of values are wanted.
    pub(super) fn watch(&mut self, trace: &'a Trace) {
        self.watcher = Some(trace);
    }

    /// Tells who watches that `key` of a table at `place` may have one of these forms.
    pub(super) fn wanted(
        &self,
        place: &'static str,
        key: &str,
        forms: impl IntoIterator<Item = Wanted>,
    ) {
        if let Some(trace) = self.watcher {
            trace.saw(place, key, forms);
        }
    }

    /// Tells who watches of a table at `place` of the type `kind`.
    pub(super) fn saw_table(&self, place: &'static str, kind: &'static str) {
        if let Some(trace) = self.watcher {
            trace.saw_table(place, kind);
        }
    }

    /// Tells who watches that `key` has to be in a table at `place` of the type `kind`.
    pub(super) fn saw_required(&self, place: &'static str, kind: &'static str, key: &'static str) {
        if let Some(trace) = self.watcher {
            trace.saw_required(place, kind, key);
        }
    }

    /// Notes mistakes and warnings that were found before.
    pub(super) fn take_over(&mut self, errors: Vec<ConfigError>, warnings: Vec<ConfigError>) {
        for error in &errors {
            if let (Class::Syntax, Some(span)) = (error.class, &error.span) {
                self.broken_lines.insert(self.places.line(span.start));
            }
        }
        self.errors.borrow_mut().extend(errors);
        self.warnings.borrow_mut().extend(warnings);
    }

    /// Notes an error.
    pub(super) fn error(&self, span: Range<usize>, message: String, help: impl Into<String>) {
        self.error_of(Class::WrongType, span, message, help);
    }

    /// Notes an error of this class.
    pub(super) fn error_of(
        &self,
        class: Class,
        span: Range<usize>,
        message: String,
        help: impl Into<String>,
    ) {
        if !self.broken_lines.contains(&self.places.line(span.start)) {
            let error = self.problem(class, span, message, help.into());
            self.errors.borrow_mut().push(error);
        }
    }

    /// Notes an error that has a second place.
    pub(super) fn clash(
        &self,
        (span, first): (Range<usize>, Range<usize>),
        message: String,
        first_label: &str,
        help: impl Into<String>,
    ) {
        let mut error = self.problem(Class::Duplicate, span, message, help.into());
        error.related = Some((first, first_label.to_owned()));
        self.errors.borrow_mut().push(error);
    }

    /// Notes that something is missing, unless a broken line may have had it.
    pub(super) fn missing(&self, span: Range<usize>, message: String, help: impl Into<String>) {
        if self.broken_lines.is_empty() {
            self.error_of(Class::MissingKey, span, message, help);
        }
    }

    /// Notes that something that is named is not there, unless a broken line may have had it.
    pub(super) fn unknown(&self, span: Range<usize>, message: String, help: impl Into<String>) {
        if self.broken_lines.is_empty() {
            self.error_of(Class::UnknownReference, span, message, help);
        }
    }

    /// Whether an error was noted.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// Notes a setting that is allowed but probably a mistake.
    pub(super) fn warning(&self, span: Range<usize>, message: String, help: impl Into<String>) {
        let warning = self.problem(Class::WrongType, span, message, help.into());
        self.warnings.borrow_mut().push(warning);
    }

    /// Whether a bundle of defaults has the key at `span`.
    pub(super) fn is_bundled(&self, span: &Range<usize>) -> bool {
        self.bundled.contains(&self.places.real(span).0)
    }

    /// Whether there is a warning at `span`.
    pub(super) fn has_warned(&self, span: &Range<usize>) -> bool {
        let warnings = self.warnings.borrow();
        warnings
            .iter()
            .any(|warning| warning.span.as_ref() == Some(span))
    }

    /// Notes something that nothing uses.
    pub(super) fn unused(&self, span: Range<usize>, message: String) {
        let warning = self.problem(Class::Unused, span, message, "remove it".to_owned());
        self.warnings.borrow_mut().push(warning);
    }

    /// Notes a file or variable that the configuration needs.
    pub(super) fn need(&self, need: Need) {
        self.needs.borrow_mut().push(need);
    }

    /// Notes a secret, for whoever has the settings that are being read.
    pub(super) fn has_secret(&self, secret: SecretSource) {
        self.secrets.borrow_mut().push(secret);
    }

    /// The secrets that were read since the last call, each once.
    pub(super) fn take_secrets(&self) -> Vec<SecretSource> {
        let mut secrets = Vec::new();
        for secret in self.secrets.take() {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
        secrets
    }

    /// Notes that a step triggers the scheduler `name`.
    pub(super) fn triggers(&self, name: &str, span: Range<usize>, label: &Rc<str>) {
        self.triggers.borrow_mut().push(Triggered {
            name: name.to_owned(),
            span,
            label: Rc::clone(label),
        });
    }

    /// Takes the schedulers that steps trigger.
    pub(super) fn take_triggers(&self) -> Vec<Triggered> {
        std::mem::take(&mut self.triggers.borrow_mut())
    }

    /// All errors and all warnings, in the order of the files, and the files and variables that the
    /// configuration needs.
    pub(super) fn into_findings(self) -> (Vec<ConfigError>, Vec<ConfigError>, Vec<Need>) {
        (
            told_once(self.places, self.errors.into_inner()),
            told_once(self.places, self.warnings.into_inner()),
            self.needs.into_inner(),
        )
    }

    fn problem(
        &self,
        class: Class,
        span: Range<usize>,
        message: String,
        help: String,
    ) -> ConfigError {
        let mut error = ConfigError::of_class(class, self.places, span, message);
        error.help = Some(help).filter(|h| !h.is_empty());
        error
    }
}
