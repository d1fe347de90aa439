//! The expressions of a builder: what they see of requests and slaves, and what comes of them
//! (CFL-90, CFL-120 to CFL-132). Decides nothing by itself.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::config::expression::{Expression, Scope, alike};
use crate::config::{BuilderConfig, Condition, Config, NamedValues, QueueRules, SlaveRules};
use crate::model::{BuildRequest, Properties};

/// The expressions of a builder and what they need.
#[derive(Debug)]
pub(in crate::botmaster) struct Judge {
    queue: QueueRules,
    slaves: SlaveRules,
    values: Arc<NamedValues>,
    /// Properties of all builds.
    properties: Properties,
    /// What the rules of the queue look at.
    at_places: Sight,
    /// What the rules on slaves look at; requests for which that is equal are of one class.
    at_classes: Sight,
}

/// Values by which requests, or slaves, are ordered: the greater first value goes first, then the
/// greater second one (CFL-120). Of those that are compared, all have equally many.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::botmaster) struct Order(Option<Arc<[Reverse<Number>]>>);

/// A finite number that is not minus zero.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number(f64);

/// Whether a slave takes a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::botmaster) enum Answer {
    Yes,
    No,
    /// It does not: a property of the request names this other slave.
    Named(String),
    /// It does not, because the expression cannot be worked out; with the reason.
    Failed(String),
}

/// An expression could not be worked out in the core, and counted as its rule says (CFL-145).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::botmaster) struct Failed {
    /// The expression.
    pub(in crate::botmaster) expression: Expression,
    /// Why.
    pub(in crate::botmaster) why: String,
}

/// The parts of names that some expressions use.
#[derive(Debug, Default)]
struct Sight {
    prop: Parts,
    src: Parts,
    request: Parts,
}

#[derive(Debug)]
enum Parts {
    Named(BTreeSet<String>),
    /// The whole table, or a part whose name is computed.
    All,
}

impl Judge {
    /// The expressions of `builder`; nothing if it has none.
    pub(in crate::botmaster) fn of(config: &Config, builder: &BuilderConfig) -> Option<Self> {
        let (queue, slaves) = (&builder.queue, &builder.slave_rules);
        if !queue.have_expressions() && slaves.are_empty() {
            return None;
        }
        let values = Arc::clone(&config.values);
        let of_queue = queue.request_order.iter().chain(&queue.merge_by);
        let of_slaves = condition(slaves).into_iter().chain(&slaves.slave_order);
        let mut at_classes = Sight::of(&values, of_slaves);
        if let (Some(name), Parts::Named(names)) = (&slaves.slave_property, &mut at_classes.prop) {
            names.insert(name.clone());
        }
        Some(Self {
            at_places: Sight::of(&values, of_queue),
            at_classes,
            queue: queue.clone(),
            slaves: slaves.clone(),
            properties: config.properties.clone(),
            values,
        })
    }

    /// Whether it depends on the request which slaves may take it, or which goes first.
    pub(super) const fn has_classes(&self) -> bool {
        !self.slaves.are_empty()
    }

    /// Whether requests have an order of their own.
    pub(super) const fn has_order(&self) -> bool {
        !self.queue.request_order.is_empty()
    }

    /// Whether slaves have an order of their own.
    pub(super) const fn orders_slaves(&self) -> bool {
        !self.slaves.slave_order.is_empty()
    }

    /// The order of `request` among those of its builder, and the values that all requests of a
    /// build share; nothing if it shares with none (CFL-122).
    pub(super) fn place(
        &self,
        request: &BuildRequest,
        failures: &mut Vec<Failed>,
    ) -> (Order, Option<String>) {
        if !self.queue.have_expressions() {
            return (Order::default(), Some(String::new()));
        }
        let scope = self.scope(request, &self.at_places);
        let order = Order::of(&self.queue.request_order, &scope, failures);
        let mut shared = String::new();
        for expression in &self.queue.merge_by {
            match expression.evaluate(&scope) {
                Ok(None) => shared.push('-'),
                Ok(Some(value)) => shared.push_str(&alike(&value).to_string()),
                Err(mistake) => {
                    failures.push(Failed::new(expression, mistake.message));
                    return (order, None);
                }
            }
            shared.push('\n');
        }
        (order, Some(shared))
    }

    /// The class of `request` for the rules on slaves, and what they see of it (CFL-131).
    pub(super) fn class(&self, request: &BuildRequest) -> (String, Scope) {
        let scope = self.scope(request, &self.at_classes);
        if self.at_classes.tells_all_apart() {
            return (format!("#{}", request.id), scope);
        }
        let seen = ["prop", "src", "request"];
        let seen = seen.map(|name| scope.get(name).map(ToString::to_string));
        (
            seen.into_iter().flatten().collect::<Vec<_>>().join("\n"),
            scope,
        )
    }

    /// Whether the slave with these facts takes a request of the class with this scope (CFL-130).
    pub(super) fn answer(&self, scope: &Scope, slave: &Json) -> Answer {
        if let Some(name) = self.named_slave(scope)
            && slave.get("name").and_then(Json::as_str) != Some(&name)
        {
            return Answer::Named(name);
        }
        match &self.slaves.slave_if {
            None | Some(Condition::Always(true)) => Answer::Yes,
            Some(Condition::Always(false)) => Answer::No,
            Some(Condition::If(expression)) => {
                let scope = self.with_values(scope.clone()).with("slave", slave.clone());
                match expression.holds(&scope) {
                    Ok(true) => Answer::Yes,
                    Ok(false) => Answer::No,
                    Err(mistake) => Answer::Failed(mistake.message),
                }
            }
        }
    }

    /// The slave that requests of the class with this scope name, if they name one.
    fn named_slave(&self, scope: &Scope) -> Option<String> {
        let property = self.slaves.slave_property.as_ref()?;
        let named = scope.get("prop")?.get(property)?;
        match named.as_str() {
            Some(name) => Some(name.to_owned()).filter(|name| !name.is_empty()),
            None => Some(named.to_string()).filter(|_| !named.is_null()),
        }
    }

    /// The place of a slave among those that could take a request of the class with this scope
    /// (CFL-132).
    pub(super) fn order_of_slave(
        &self,
        scope: &Scope,
        slave: Json,
        failures: &mut Vec<Failed>,
    ) -> Order {
        let scope = self.with_values(scope.clone()).with("slave", slave);
        Order::of(&self.slaves.slave_order, &scope, failures)
    }

    /// That `slave_if` has failed.
    pub(super) fn failed(&self, why: &str) -> Option<Failed> {
        condition(&self.slaves).map(|expression| Failed::new(expression, why.to_owned()))
    }

    /// The property that names the slave of a request.
    pub(in crate::botmaster) fn slave_property(&self) -> &str {
        self.slaves.slave_property.as_deref().unwrap_or_default()
    }

    /// `slave_if` as it is written.
    pub(in crate::botmaster) fn slave_if(&self) -> String {
        match condition(&self.slaves) {
            Some(expression) => expression.text().to_owned(),
            None => "false".to_owned(),
        }
    }

    /// What the expressions with this sight see of a request.
    fn scope(&self, request: &BuildRequest, sight: &Sight) -> Scope {
        let mut scope = Scope::new();
        if !sight.prop.is_nothing() {
            scope = scope.with("prop", self.properties_of(request, &sight.prop));
        }
        if !sight.src.is_nothing() {
            let stamps = &request.stamps;
            let facts = match &sight.src {
                Parts::All => stamps.facts(),
                Parts::Named(names) => table(names, |name| stamps.fact(name)),
            };
            scope = scope.with("src", facts);
        }
        if !sight.request.is_nothing() {
            let facts = match &sight.request {
                Parts::All => facts_of(request),
                Parts::Named(names) => table(names, |name| fact_of(request, name)),
            };
            scope = scope.with("request", facts);
        }
        self.with_values(scope)
    }

    fn with_values(&self, scope: Scope) -> Scope {
        if self.values.is_empty() {
            return scope;
        }
        scope.with_kw(self.values.to_work_out())
    }

    /// Properties of the configuration, over these those of the changes, over these its own.
    fn properties_of(&self, request: &BuildRequest, parts: &Parts) -> Json {
        match parts {
            Parts::Named(names) => table(names, |name| {
                let own = request.properties.get(name);
                let of_changes = || {
                    let changes = request.stamps.changes();
                    let values = changes.filter_map(|change| change.properties.get(name));
                    values.last()
                };
                let value = own.or_else(of_changes);
                value.or_else(|| self.properties.get(name)).cloned()
            }),
            Parts::All => {
                let mut all = self.properties.clone();
                for change in request.stamps.changes() {
                    all.update(&change.properties);
                }
                all.update(&request.properties);
                let all = all.iter();
                all.map(|(name, p)| (name.to_owned(), p.value.clone()))
                    .collect()
            }
        }
    }
}

/// The values by which a request for `builder` is ordered among others; nothing if the builder has
/// no order of its own (CFL-120, CFL-156).
#[must_use]
pub fn request_order(
    config: &Config,
    builder: &BuilderConfig,
    request: &BuildRequest,
) -> Option<Vec<f64>> {
    let judge = Judge::of(config, builder).filter(Judge::has_order)?;
    let (order, _) = judge.place(request, &mut Vec::new());
    Some(order.values().collect())
}

/// The parts with these names, as far as they are there.
fn table(names: &BTreeSet<String>, value: impl Fn(&str) -> Option<Json>) -> Json {
    let parts = names.iter();
    let parts = parts.filter_map(|name| Some((name.clone(), value(name)?)));
    Json::Object(parts.collect::<Map<_, _>>())
}

/// `request`.
fn facts_of(request: &BuildRequest) -> Json {
    let names = ["number", "priority", "reason"].into_iter();
    let facts = names.filter_map(|name| Some((name.to_owned(), fact_of(request, name)?)));
    Json::Object(facts.collect())
}

/// A part of `request`.
fn fact_of(request: &BuildRequest, name: &str) -> Option<Json> {
    Some(match name {
        "number" => json!(request.id.0),
        "priority" => json!(request.priority),
        "reason" => json!(&*request.reason),
        _ => return None,
    })
}

const fn condition(slaves: &SlaveRules) -> Option<&Expression> {
    match &slaves.slave_if {
        Some(Condition::If(expression)) => Some(expression),
        Some(Condition::Always(_)) | None => None,
    }
}

impl Sight {
    fn of<'e>(values: &'e NamedValues, expressions: impl Iterator<Item = &'e Expression>) -> Self {
        let mut sight = Self::default();
        for used in expressions.flat_map(|expression| values.uses(expression)) {
            let parts = match used.path.first().map(String::as_str) {
                Some("prop") => &mut sight.prop,
                Some("src") => &mut sight.src,
                Some("request") => &mut sight.request,
                Some(_) | None => continue,
            };
            match (used.path.get(1), &mut *parts) {
                (None, parts) => *parts = Parts::All,
                (Some(name), Parts::Named(names)) => {
                    names.insert(name.clone());
                }
                (Some(_), Parts::All) => {}
            }
        }
        sight
    }

    /// Whether each request is a class of its own.
    const fn tells_all_apart(&self) -> bool {
        matches!(self.prop, Parts::All) || matches!(self.request, Parts::All)
    }
}

impl Parts {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Named(names) => names.is_empty(),
            Self::All => false,
        }
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Order {
    /// The values of these expressions. What fails or is of another kind counts 0, and true
    /// counts 1.
    fn of(expressions: &[Expression], scope: &Scope, failures: &mut Vec<Failed>) -> Self {
        if expressions.is_empty() {
            return Self::default();
        }
        let mut value = |expression: &Expression| match expression.evaluate(scope) {
            Ok(value) => Reverse(Number::of(value.as_ref())),
            Err(mistake) => {
                failures.push(Failed::new(expression, mistake.message));
                Reverse(Number(0.0))
            }
        };
        Self(Some(expressions.iter().map(&mut value).collect()))
    }

    /// The values.
    pub(in crate::botmaster) fn values(&self) -> impl Iterator<Item = f64> {
        let values = self.0.iter().flat_map(|values| values.iter());
        values.map(|Reverse(value)| value.0)
    }
}

/// `[1, 0]`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values().map(|value| value.to_string()).collect();
        write!(f, "[{}]", values.join(", "))
    }
}

impl Number {
    fn of(value: Option<&Json>) -> Self {
        let number = match value {
            Some(Json::Bool(flag)) => f64::from(u8::from(*flag)),
            Some(Json::Number(number)) => number.as_f64().unwrap_or(0.0),
            Some(Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_)) | None => 0.0,
        };
        // Adding zero makes zero of minus zero.
        Self(number + 0.0)
    }
}

impl Eq for Number {}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Failed {
    fn new(expression: &Expression, why: String) -> Self {
        Self {
            expression: expression.clone(),
            why,
        }
    }
}

#[cfg(test)]
mod tests;
