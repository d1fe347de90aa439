//! Splits a large `update` of a slave into parts while it arrives.
//!
//! An update contains output of a command in any number of independent pieces, and has no limit as
//! a whole. Each part becomes a separate call without an answer. The last part is answered once all
//! parts before it are handled.

use bytes::Bytes;

use crate::pb::banana::{Token, Word};

/// Takes the complete pieces out of the beginning of a message, as a separate message. Returns
/// nothing if the message is not an `update` or its pieces refer to each other. `tokens` ends with
/// a complete piece, and more pieces follow.
pub(super) fn take(tokens: &mut Vec<Token>) -> Option<Vec<Token>> {
    let [
        Token::List(7),
        Token::Bytes(message),
        Token::Int(_),
        Token::Int(_),
        Token::Bytes(method),
        Token::Int(_),
        Token::List(2),
        Token::Bytes(tuple),
        Token::List(len),
        Token::Bytes(list),
        pieces @ ..,
    ] = tokens.as_slice()
    else {
        return None;
    };
    if [message, method, tuple, list] != ["message", "update", "tuple", "list"] {
        return None;
    }
    let count = count(pieces)?;
    let left = len.checked_sub(count)?;
    let mut part = Vec::with_capacity(tokens.len() + 2);
    part.extend_from_slice(tokens.get(..PIECES)?);
    part.extend(tokens.drain(PIECES..));
    part.push(Token::List(1));
    part.push(Token::Bytes(Word::DICTIONARY.bytes()));
    *part.get_mut(WANTS_ANSWER)? = Token::Int(0);
    *part.get_mut(LIST)? = Token::List(count + 1);
    *tokens.get_mut(LIST)? = Token::List(left);
    Some(part)
}

/// The number of pieces; nothing if there are none, or if another piece could refer to a piece.
fn count(pieces: &[Token]) -> Option<usize> {
    let (mut count, mut missing) = (0, 1);
    let mut begins_list = false;
    for token in pieces {
        missing -= 1;
        match token {
            Token::List(len) => missing += len,
            Token::Bytes(word) if begins_list && refers(word) => return None,
            Token::Bytes(_) | Token::Int(_) | Token::BigInt { .. } | Token::Float(_) => {}
        }
        begins_list = matches!(token, Token::List(_));
        if missing == 0 {
            (count, missing) = (count + 1, 1);
        }
    }
    (count > 0 && missing == 1).then_some(count)
}

fn refers(word: &Bytes) -> bool {
    [Word::REFERENCE, Word::DEREFERENCE]
        .iter()
        .any(|name| name.bytes() == word)
}

/// Index of the flag that says whether a message wants an answer.
const WANTS_ANSWER: usize = 5;
/// Index of the list of pieces.
const LIST: usize = 8;
/// Index of the first piece.
const PIECES: usize = 10;

/// Number of open lists around a piece: the message, its arguments and the list of pieces.
pub(super) const DEPTH: usize = 3;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn word(text: &'static str) -> Token {
        Token::Bytes(Bytes::from_static(text.as_bytes()))
    }

    fn header(method: &'static str, len: usize, wants: i64) -> Vec<Token> {
        vec![
            Token::List(7),
            word("message"),
            Token::Int(4),
            Token::Int(9),
            word(method),
            Token::Int(wants),
            Token::List(2),
            word("tuple"),
            Token::List(len),
            word("list"),
        ]
    }

    fn piece(text: &'static str) -> Vec<Token> {
        vec![Token::List(2), word("list"), word(text)]
    }

    #[test]
    fn whole_pieces_become_a_message_and_the_rest_stays() {
        let mut tokens = header("update", 4, 1);
        tokens.extend(piece("a"));
        tokens.extend(piece("b"));
        let mut expected = header("update", 3, 0);
        expected.extend(piece("a"));
        expected.extend(piece("b"));
        expected.extend([Token::List(1), word("dictionary")]);
        assert_eq!(take(&mut tokens).unwrap(), expected);
        assert_eq!(tokens, header("update", 2, 1));
        assert_eq!(take(&mut tokens), None);
    }

    #[test]
    fn other_calls_and_pieces_that_refer_to_others_are_left_whole() {
        let mut call = header("addChange", 4, 1);
        call.extend(piece("a"));
        assert_eq!(take(&mut call.clone()), None);
        for name in ["reference", "dereference"] {
            let mut update = header("update", 4, 1);
            update.extend([Token::List(3), word(name), Token::Int(1)]);
            update.extend(piece("a"));
            let before = update.clone();
            assert_eq!(take(&mut update), None);
            assert_eq!(update, before);
        }
    }
}
