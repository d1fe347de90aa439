//! Who somebody is: `i am` (IRC-06). A nick by itself is nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use subtle::ConstantTimeEq as _;

use super::{Act, Answer, Chat, Kind, Order, Sight};
use crate::model::Mono;

pub(super) const USAGE: &str = "i am [user] NAME [CODE] | i am not [user] NAME - say who you are; \
                                the code that is mailed to NAME proves it";

/// How long a code is good.
const GOOD: Duration = Duration::from_mins(10);

/// Wrong codes after which a new one is needed.
const MOST_TRIES: u32 = 5;

/// Codes that a person has at a time: as many mails may be sent in ten minutes.
const MOST_CODES: usize = 3;

/// Nicks and codes that are kept.
const MOST: usize = 1000;

/// Who people on the network are.
#[derive(Debug, Default)]
pub(super) struct Persons {
    /// By nick.
    claims: BTreeMap<String, Claim>,
    /// By person and nick.
    codes: BTreeMap<(String, String), Code>,
}

#[derive(Debug)]
struct Claim {
    person: String,
    /// `user@host`: a nick that comes from elsewhere is somebody else.
    address: String,
    is_confirmed: bool,
}

#[derive(Debug)]
struct Code {
    code: String,
    address: String,
    until: Mono,
    tries: u32,
}

pub(super) fn i_am(chat: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let words: Vec<_> = order.rest.split_whitespace().collect();
    let Some((&"am", words)) = words.split_first() else {
        return Answer::default();
    };
    let (is_not, words) = match words.split_first() {
        Some((&"not", rest)) => (true, rest),
        _ => (false, words),
    };
    let words = match words.split_first() {
        Some((&"user", rest)) => rest,
        _ => words,
    };
    let (name, code) = match words {
        [name] => (*name, None),
        [name, code] if !is_not => (*name, Some(*code)),
        _ => return order.usage(),
    };
    let nick = chat.case.folded(&order.said.nick);
    if is_not {
        chat.persons.claims.remove(&nick);
        let text = format!("{} is not {name}", order.said.nick);
        return order.answer(Kind::Unclaimed, &text);
    }
    if !sight.people.iter().any(|known| known == name) {
        let text = format!("I know no user {name}");
        return order.answer(Kind::NoSuchUser, &text);
    }
    match code {
        Some(code) => confirm(chat, order, (name, code), &nick),
        None => claim(chat, order, name, nick),
    }
}

fn claim(chat: &mut Chat, order: &Order, name: &str, nick: String) -> Answer {
    if chat.persons.claims.len() >= MOST && !chat.persons.claims.contains_key(&nick) {
        return order.answer(Kind::Failed, "too many people have said who they are");
    }
    let claim = Claim {
        person: name.to_owned(),
        address: order.said.address.clone(),
        is_confirmed: false,
    };
    chat.persons.claims.insert(nick, claim);
    let text = format!(
        "{name} can be found as {}; this allows nothing yet: send me in private `i am {name} CODE` \
         with the code that is mailed to {name}",
        order.said.nick
    );
    Answer {
        replies: vec![order.reply(Kind::Claimed, &text)],
        act: Some(Act::SendCode {
            person: name.to_owned(),
        }),
    }
}

fn confirm(chat: &mut Chat, order: &Order, (name, code): (&str, &str), nick: &str) -> Answer {
    if !order.said.is_seen {
        let text = "come to a channel where I am first: otherwise I do not see you go";
        return order.answer(Kind::WhoAreYou, text);
    }
    let key = (name.to_owned(), nick.to_owned());
    let is_right = match chat.persons.codes.get_mut(&key) {
        Some(known) if known.address == order.said.address => {
            known.tries += 1;
            let is_same = known.code.as_bytes().ct_eq(code.to_uppercase().as_bytes());
            known.tries <= MOST_TRIES && bool::from(is_same)
        }
        Some(_) | None => false,
    };
    if !is_right {
        let text = format!("that is not the code for {name}; `i am {name}` asks for another");
        return order.answer(Kind::WhoAreYou, &text);
    }
    chat.persons.codes.remove(&key);
    let claim = Claim {
        person: name.to_owned(),
        address: order.said.address.clone(),
        is_confirmed: true,
    };
    chat.persons.claims.insert(nick.to_owned(), claim);
    let text = format!("{} is {name} as long as I see this nick", order.said.nick);
    order.answer(Kind::Confirmed, &text)
}

impl Persons {
    pub(super) fn renamed(&mut self, nick: &str, new: &str) {
        if let Some(claim) = self.claims.remove(nick) {
            self.claims.insert(new.to_owned(), claim);
        }
        self.codes.retain(|(_, of), _| of != nick);
    }

    pub(super) fn gone(&mut self, nick: Option<&str>) {
        match nick {
            Some(nick) => {
                self.claims.remove(nick);
                self.codes.retain(|(_, of), _| of != nick);
            }
            None => *self = Self::default(),
        }
    }

    pub(super) fn confirmed(&self, nick: &str, address: &str) -> Option<&str> {
        let claim = self.claims.get(nick)?;
        (claim.is_confirmed && claim.address == address).then_some(&*claim.person)
    }

    pub(super) fn code_for(&self, person: &str, nick: &str, now: Mono) -> Option<&str> {
        let code = self.codes.get(&(person.to_owned(), nick.to_owned()))?;
        (code.until > now).then_some(&*code.code)
    }

    /// The nicks that a person has proved to be theirs, and the others that were said to be.
    pub(super) fn nicks_of(&self, person: &str) -> (Vec<String>, Vec<String>) {
        let (mut proved, mut said) = (Vec::new(), Vec::new());
        for (nick, claim) in &self.claims {
            if claim.person == person {
                let nicks = if claim.is_confirmed {
                    &mut proved
                } else {
                    &mut said
                };
                nicks.push(nick.clone());
            }
        }
        (proved, said)
    }

    /// Keeps a code; false if there is one that is good, or the person has too many.
    pub(super) fn has_code(
        &mut self,
        nick: String,
        address: &str,
        person: &str,
        code: String,
        now: Mono,
    ) -> bool {
        self.codes.retain(|_, code| code.until > now);
        let key = (person.to_owned(), nick);
        let of_person = self.codes.keys().filter(|(of, _)| of == person).count();
        if self.codes.contains_key(&key) || of_person >= MOST_CODES || self.codes.len() >= MOST {
            return false;
        }
        let code = Code {
            code,
            address: address.to_owned(),
            until: now + GOOD,
            tries: 0,
        };
        self.codes.insert(key, code);
        true
    }
}
