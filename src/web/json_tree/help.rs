//! The help of nodes: what a node is, what is below it, and the arguments of all.

use serde_json::{Value, json};

/// The help of a node.
pub(super) fn help(what: &str, below: &[&str]) -> Value {
    json!({
        "help": what,
        "below": below,
        "arguments": {
            "select": "A path below this node; may be repeated. The answer has only what was \
                       selected. An empty one selects the node itself.",
            "filter": "1 leaves out null, false and what is empty.",
            "compact": "0 indents the answer.",
            "as_text": "1 indents the answer and leaves out what is empty.",
            "numbuilds": "How many builds of each builder are looked at for a slave.",
            "max": "How many builds _all has: 100, at most 1000.",
            "before": "_all has only builds below this number.",
        },
    })
}
