//! Arguments of the version control commands of old slaves, as a master spells them (PROTOCOL
//! section 10.5).

use bytes::Bytes;

use crate::pb::Value;

use super::SlaveInfo;

/// Arguments of a version control command of the slave.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceArgs {
    /// The command: `svn`, `git` and so on.
    pub command: &'static str,
    /// Directory of the tree, below the builder's.
    pub workdir: String,
    /// `update`, `copy`, `clobber` or `export`.
    pub mode: &'static str,
    /// What is checked out; absent: the latest.
    pub revision: Option<String>,
    /// What is applied to the tree.
    pub patch: Option<SourcePatch>,
    /// Seconds before a retry of a failed checkout, and number of retries.
    pub retry: Option<(f64, u32)>,
    /// Seconds without output after which a program is killed.
    pub timeout: Option<f64>,
    /// Whether the log shows the environment.
    pub log_environ: bool,
    /// Environment, which slaves of Buildbot ignore.
    pub env: Vec<(String, Option<String>)>,
    /// The arguments of this command alone.
    pub own: Vec<(&'static str, SourceValue)>,
}

/// A patch that the slave applies.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcePatch {
    /// Directories that are cut from its file names.
    pub level: u32,
    /// The difference.
    pub diff: Bytes,
    /// Directory in the tree.
    pub subdir: Option<String>,
}

/// The value of an argument.
#[derive(Clone, PartialEq)]
pub enum SourceValue {
    /// A text, or none.
    Text(Option<String>),
    /// A password.
    Secret(String),
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u32),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of pairs.
    Pairs(Vec<(String, String)>),
}

impl std::fmt::Debug for SourceValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Secret(_) => f.write_str("…"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Texts(texts) => texts.fmt(f),
            Self::Pairs(pairs) => pairs.fmt(f),
        }
    }
}

impl SourceValue {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }

    fn to_value(&self, slave: &SlaveInfo) -> Value {
        let text = |text: &String| slave.style.value(text);
        match self {
            Self::Text(None) => Value::None,
            Self::Text(Some(value)) | Self::Secret(value) => text(value),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(number) => Value::Int((*number).into()),
            Self::Texts(texts) => Value::List(texts.iter().map(text).collect()),
            Self::Pairs(pairs) => {
                let pair = |(a, b): &(String, String)| Value::Tuple(vec![text(a), text(b)]);
                Value::List(pairs.iter().map(pair).collect())
            }
        }
    }
}

impl SourceArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let text = |text: &Option<String>| {
            let text = text.as_ref();
            text.map_or(Value::None, |text| style.value(text))
        };
        let patch = self.patch.as_ref().map_or(Value::None, |patch| {
            let mut items = vec![Value::Int(patch.level.into()), Value::bytes(&patch.diff)];
            items.extend(patch.subdir.as_ref().map(|dir| style.value(dir)));
            Value::Tuple(items)
        });
        let retry = self.retry.map_or(Value::None, |(delay, count)| {
            Value::Tuple(vec![Value::Float(delay), Value::Int(count.into())])
        });
        let env = self.env.iter();
        let env = env.map(|(name, value)| (style.value(name), text(value)));
        let mut pairs = vec![
            (style.value("workdir"), style.value(&self.workdir)),
            (style.value("mode"), style.value(self.mode)),
            (style.value("revision"), text(&self.revision)),
            (style.value("patch"), patch),
            (style.value("retry"), retry),
            (
                style.value("timeout"),
                self.timeout.map_or(Value::None, Value::Float),
            ),
            (style.value("logEnviron"), Value::Bool(self.log_environ)),
            (style.value("env"), Value::Dict(env.collect())),
        ];
        let own = self.own.iter();
        pairs.extend(own.map(|(key, value)| (style.value(key), value.to_value(slave))));
        Value::Dict(pairs)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn arguments_are_spelled_for_the_slave() {
        let args = SourceArgs {
            command: "svn",
            workdir: "build".to_owned(),
            mode: "update",
            revision: None,
            patch: Some(SourcePatch {
                level: 1,
                diff: Bytes::from_static(b"\xff"),
                subdir: None,
            }),
            retry: Some((2.0, 3)),
            timeout: None,
            log_environ: true,
            env: Vec::new(),
            own: vec![
                ("svnurl", SourceValue::text("u")),
                ("password", SourceValue::Secret("hush".to_owned())),
                (
                    "p4extra_views",
                    SourceValue::Pairs(vec![("a".to_owned(), "b".to_owned())]),
                ),
            ],
        };
        let slave = SlaveInfo::of_slave(None, None, None);
        let value = args.to_value(&slave);
        assert_eq!(value.get("mode").unwrap(), &Value::bytes("update"));
        assert_eq!(value.get("revision").unwrap(), &Value::None);
        let patch = Value::Tuple(vec![Value::Int(1), Value::bytes(b"\xff")]);
        assert_eq!(value.get("patch").unwrap(), &patch);
        let retry = Value::Tuple(vec![Value::Float(2.0), Value::Int(3)]);
        assert_eq!(value.get("retry").unwrap(), &retry);
        assert_eq!(value.get("password").unwrap(), &Value::bytes("hush"));
        let pair = Value::Tuple(vec![Value::bytes("a"), Value::bytes("b")]);
        assert_eq!(
            value.get("p4extra_views").unwrap(),
            &Value::List(vec![pair])
        );
        assert!(!format!("{args:?}").contains("hush"));
    }
}
