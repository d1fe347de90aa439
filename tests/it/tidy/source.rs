//! Reads the sources as the compiler's lexer does: comments and literals are told from code, and an
//! item under `#[cfg(test)]` is left out, and only that item.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A source file.
pub(super) struct Source {
    /// Its path in the project.
    pub(super) path: PathBuf,
    /// All of it.
    pub(super) text: String,
    /// The tokens outside test items.
    pub(super) tokens: Vec<Token>,
    /// The top-level module of the library that it belongs to; absent for `lib.rs`, programs and
    /// tests.
    pub(super) module: Option<String>,
    /// The modules that it declares for tests only.
    pub(super) test_modules: Vec<String>,
}

/// A word, a literal, a sign or a bracket, and its line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Token {
    pub(super) fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !self.text.contains(['"', '\''])
    }

    /// Whether it is a text in quotes.
    pub(super) fn is_text(&self) -> bool {
        let prefixes = ["\"", "r\"", "r#", "b\"", "br", "c\""];
        self.text.contains('"') && prefixes.iter().any(|p| self.text.starts_with(p))
    }
}

impl Source {
    pub(super) fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        Self::parse(path.strip_prefix(root).unwrap(), text)
    }

    pub(super) fn parse(path: &Path, text: String) -> Self {
        let mut parts = path.iter().map(|part| part.to_str().unwrap());
        let module = match (parts.next(), parts.next()) {
            (Some("src"), Some(part)) if part != "bin" && part != "lib.rs" => {
                Some(part.trim_end_matches(".rs").to_owned())
            }
            _ => None,
        };
        let mut reading = Reading::default();
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        reading.stream(stream);
        Self {
            path: path.to_owned(),
            text,
            tokens: reading.tokens,
            module,
            test_modules: reading.test_modules,
        }
    }

    /// Its lines of code with their numbers. Spaces are where two words meet, and nowhere else.
    pub(super) fn code(&self) -> Vec<(usize, String)> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        let mut after_word = false;
        for token in &self.tokens {
            match lines.last_mut() {
                Some((line, code)) if *line == token.line => {
                    if after_word && token.is_word() {
                        code.push(' ');
                    }
                    code.push_str(&token.text);
                }
                _ => lines.push((token.line, token.text.clone())),
            }
            after_word = token.is_word();
        }
        lines
    }

    /// Its comments with their lines, without the signs that begin them.
    pub(super) fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().filter_map(|(index, line)| {
            let comment = line.trim_start().strip_prefix("//")?;
            Some((index + 1, comment.trim_start_matches(['/', '!'])))
        })
    }
}

#[derive(Default)]
struct Reading {
    tokens: Vec<Token>,
    test_modules: Vec<String>,
}

impl Reading {
    fn stream(&mut self, stream: TokenStream) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let begin = self.tokens.len();
            if is_sign(&tree, '#') {
                let inner = trees.next_if(|next| is_sign(next, '!')).is_some();
                if let Some(attribute) = trees.next_if(is_attribute) {
                    match attribute_kind(&attribute) {
                        Attribute::Doc => continue,
                        Attribute::Test if !inner => {
                            self.skip_item(&mut trees);
                            continue;
                        }
                        Attribute::Test | Attribute::Other => {}
                    }
                    self.push(&tree, "#");
                    self.tree(attribute);
                    continue;
                }
            }
            debug_assert_eq!(begin, self.tokens.len());
            self.tree(tree);
        }
    }

    fn tree(&mut self, tree: TokenTree) {
        let TokenTree::Group(group) = tree else {
            let text = tree.to_string();
            self.push(&tree, &text);
            return;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let line = |span: proc_macro2::Span| span.start().line;
        let token = |line, text: &str| Token {
            line,
            text: text.to_owned(),
        };
        self.tokens.push(token(line(group.span_open()), open));
        self.stream(group.stream());
        self.tokens.push(token(line(group.span_close()), close));
    }

    fn push(&mut self, tree: &TokenTree, text: &str) {
        self.tokens.push(Token {
            line: tree.span().start().line,
            text: text.to_owned(),
        });
    }

    /// Leaves out what an attribute belongs to: up to the end of its block, or to `;` or `,`.
    fn skip_item(&mut self, trees: &mut Peekable<impl Iterator<Item = TokenTree>>) {
        let mut words: Vec<String> = Vec::new();
        for tree in trees.by_ref() {
            let ends = match &tree {
                TokenTree::Group(group) => {
                    // That of `use a::{b, c};` is not the end.
                    group.delimiter() == Delimiter::Brace && !words.iter().any(|word| word == "use")
                }
                TokenTree::Punct(sign) => matches!(sign.as_char(), ';' | ','),
                TokenTree::Ident(_) | TokenTree::Literal(_) => false,
            };
            if is_sign(&tree, ';')
                && let [.., before, name] = words.as_slice()
                && before == "mod"
            {
                self.test_modules.push(name.clone());
            }
            if ends {
                return;
            }
            if let TokenTree::Ident(word) = tree {
                words.push(word.to_string());
            }
        }
    }
}

fn is_sign(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_attribute(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

enum Attribute {
    /// A doc comment.
    Doc,
    /// `cfg(test)`, or `cfg(all(test, …))`.
    Test,
    Other,
}

fn attribute_kind(attribute: &TokenTree) -> Attribute {
    let TokenTree::Group(group) = attribute else {
        return Attribute::Other;
    };
    let text: String = group.stream().to_string().split_whitespace().collect();
    if text.starts_with("doc=") {
        Attribute::Doc
    } else if text == "cfg(test)" || text.starts_with("cfg(all(test,") {
        Attribute::Test
    } else {
        Attribute::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        let source = Source::parse(Path::new("src/model/x.rs"), text.to_owned());
        source.code().into_iter().map(|(_, code)| code).collect()
    }

    #[test]
    fn only_the_item_under_the_attribute_is_left_out() {
        let text = "
            #[cfg(test)]
            mod tests;
            use crate::daemon::wall;
            #[cfg(test)]
            use a::{b, c};
            #[cfg(all(test, unix))]
            #[allow(dead_code, reason = \"…\")]
            fn seam() -> Option<u8> { std::fs::read() }
            struct S {
                #[cfg(test)]
                watched: bool,
                kept: u8,
            }
            fn last() { Instant::now() }
        ";
        assert_eq!(
            code(text),
            [
                "use crate::daemon::wall;",
                "struct S{",
                "kept:u8,",
                "}",
                "fn last(){Instant::now()}"
            ]
        );
    }

    #[test]
    fn test_modules_are_known() {
        let text = "#[cfg(test)] mod tests; #[cfg(test)] pub(super) mod testing; mod kept;";
        let source = Source::parse(Path::new("src/model/mod.rs"), text.to_owned());
        assert_eq!(source.test_modules, ["tests", "testing"]);
        assert_eq!(code(text), ["mod kept;"]);
    }

    #[test]
    fn comments_and_texts_are_not_code() {
        let source = Source::parse(
            Path::new("src/lib.rs"),
            "//! Of std::fs.\n/// Doc.\nfn a() {} // std::fs\n  // In it.\n".to_owned(),
        );
        let code: Vec<_> = source.code();
        assert_eq!(code, [(3, "fn a(){}".to_owned())]);
        let comments: Vec<_> = source.comments().collect();
        assert_eq!(
            comments,
            [(1, " Of std::fs."), (2, " Doc."), (4, " In it.")]
        );
        let text = Token {
            line: 1,
            text: "\"std::fs\"".to_owned(),
        };
        assert!(text.is_text() && !text.is_word());
    }
}
