//! What `p4` runs: a client whose view is the tree. Pure.

use bytes::Bytes;

use super::plan::{Parse, Plan, Run, Wish, above};
use crate::pb::{Failure, Value};

/// The plan of the command.
///
/// # Errors
/// The arguments are invalid.
pub(super) fn plan(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let client = wish.place("p4client")?;
    let base = wish.place("p4base")?;
    let (port, user) = (wish.name("p4port")?, wish.name("p4user")?);
    let password = wish.text("p4passwd")?;
    let revision = wish.name("revision")?;
    let common = |run: Run| {
        run.option(b"-p", port.as_ref())
            .option(b"-u", user.as_ref())
            .secret(b"-P", password.clone())
            .option(b"-c", Some(&client))
    };
    let p4 = |words: &[&'static [u8]]| {
        let words: Vec<Bytes> = words.iter().map(|word| Bytes::from_static(word)).collect();
        common(above(&[b"p4"])).with(&words)
    };
    let wanted = revision.map(|revision| Bytes::from([b"@", &revision[..]].concat()));
    let from_input = [b"client".as_slice(), b"-i"].map(Bytes::from_static);
    let specify = common(above(&[b"sh", b"-c", WITH_ROOT, b"sh", b"p4"]));
    let specify = Run {
        stdin: Some(spec(wish, &client, &base, user.as_ref())?.into()),
        ..specify.with(&from_input)
    };
    Ok(Plan {
        // Any tree; the file beside it says of what.
        mark: ".",
        source: source(wish, &[Some(&client), port.as_ref(), Some(&base)])?,
        may_update: true,
        before: Vec::new(),
        update: vec![p4(&[b"sync"]).with(&wanted)],
        full: vec![specify, p4(&[b"sync", b"-f"]).with(&wanted)],
        revision: Some((
            p4(&[b"changes", b"-s", b"submitted", b"-m", b"1", b"#have"]),
            change as Parse,
        )),
        added: Vec::new(),
    })
}

/// Puts the directory of the builder, which the master does not know, before the rest of the
/// client.
const WITH_ROOT: &[u8] = b"{ printf 'Root:\\t%s\\n\\n' \"$PWD\"; cat; } | \"$@\"";

/// The client without its root.
fn spec(
    wish: &Wish<'_>,
    client: &Bytes,
    base: &Bytes,
    user: Option<&Bytes>,
) -> Result<Vec<u8>, Failure> {
    let line_end = wish.name("p4line_end")?;
    let line_end = line_end.unwrap_or(Bytes::from_static(b"local"));
    let branch = match wish.name("branch")? {
        Some(branch) => [&branch[..], b"/"].concat(),
        None => Vec::new(),
    };
    let tree = &wish.tree[..];
    let mut spec = Vec::new();
    let mut add = |key: &str, parts: &[&[u8]]| {
        let value = parts.concat();
        // A line break would begin another field.
        if value.iter().any(u8::is_ascii_control) {
            return Err(wish.args.wrong(key, "without line breaks"));
        }
        spec.extend(value);
        spec.push(b'\n');
        Ok(())
    };
    add("p4client", &[b"Client: ", client])?;
    if let Some(user) = user {
        add("p4user", &[b"Owner: ", user])?;
    }
    add("p4line_end", &[b"LineEnd: ", &line_end])?;
    add("p4base", &[b"Options: allwrite rmdir"])?;
    add("p4base", &[b"View:"])?;
    let view = |from: &[u8], to: &[u8]| [from, b"... //", &client[..], b"/", to, b"/..."].concat();
    let mut views = vec![view(&[&base[..], &branch[..]].concat(), tree)];
    for (from, to) in extra_views(wish)? {
        views.push(view(&[&from[..], b"/"].concat(), &[tree, &to].concat()));
    }
    for view in views {
        add("p4base", &[b" ", &view])?;
    }
    Ok(spec)
}

/// Pairs of a directory of the depot and one below the tree.
fn extra_views(wish: &Wish<'_>) -> Result<Vec<(Bytes, Bytes)>, Failure> {
    const KEY: &str = "p4extra_views";
    let Some(value) = wish.args.given(KEY) else {
        return Ok(Vec::new());
    };
    let pair = |item: &Value| match item.unshared().as_items()? {
        [from, to] => {
            let [from, to] = [from, to].map(|text| text.unshared().as_raw().cloned());
            Some((from?, to?))
        }
        _ => None,
    };
    let items = value.as_items();
    let pairs = items.and_then(|items| items.iter().map(pair).collect::<Option<_>>());
    pairs.ok_or_else(|| wish.args.wrong(KEY, "a list of pairs"))
}

/// What a tree is of.
fn source(wish: &Wish<'_>, parts: &[Option<&Bytes>]) -> Result<Vec<u8>, Failure> {
    let mut source = Vec::new();
    let (branch, line_end) = (wish.name("branch")?, wish.name("p4line_end")?);
    let own = [branch.as_ref(), line_end.as_ref()];
    for part in parts.iter().chain(&own) {
        source.extend_from_slice(part.map_or(&[][..], |part| &part[..]));
        source.push(b'\n');
    }
    for (from, to) in extra_views(wish)? {
        source.extend([&from[..], b" ", &to, b"\n"].concat());
    }
    Ok(source)
}

/// The number in `Change 28147 on …`.
fn change(printed: &str) -> Option<String> {
    let mut words = printed.split_whitespace();
    words.find(|word| *word == "Change")?;
    let number: u64 = words.next()?.parse().ok()?;
    Some(number.to_string())
}
