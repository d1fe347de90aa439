//! What problems make of people, and the letters that are due (PRB-19, ESC-01).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ways::{Choice, Telling, Unreached};
use crate::config::{BuilderConfig, Config, MailNotifierConfig, StatusConfig};
use crate::model::{
    AttributeKind, ChangeNumber, Letter, LetterOp, ProblemFacts, ProblemNumber, ProblemsTold,
    QuietHours, Role, SlaveName, TestName, Timestamp, Zone, interested_users,
};
use crate::people::{OPERATOR, Register, SHERIFF};
use crate::status::outbox::is_reachable;
use crate::status::problem_facts::problem_facts;
use crate::store::read::{Presumed, ProblemRow, Proved, SaidRows};
use crate::store::{State, StoreError};
use crate::verdict::{Affair, Due, Hands, ProblemState, Reminders, Standing, Suspect, causes, due};
use crate::view::{owners_of_files, register_at};

/// How long after its end a problem is looked at. Longer than letters are held back.
const ENDED: Duration = Duration::from_secs(2 * 86_400);

/// Problems of which one letter tells.
const MOST_TOLD: usize = 50;

/// Changes whose files are looked at for owners.
const MOST_OWNED: usize = 20;

/// The letters that are due at `now`, with what is said in them.
///
/// # Errors
/// The state cannot be read.
pub(super) fn letters(
    state: &State,
    config: &Config,
    zone: Zone,
    now: Timestamp,
) -> Result<Vec<Telling>, StoreError> {
    let rows = state.problems_to_tell(before(now, ENDED))?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<_> = rows.iter().map(|row| row.problem.number).collect();
    let said = state.said_of(&numbers, before(now, Duration::from_secs(86_400)))?;
    let Proved { guilty, presumed } = state.proved_of(&rows)?;
    let all = rows.iter().map(|row| {
        let number = row.problem.number;
        let proved = guilty.get(&number).map(|found| found.change);
        let presumed = presumed.get(&number).map(|found| found.change);
        (&row.problem, proved.or(presumed))
    });
    let all: Vec<_> = all.collect();
    let scene = Scene {
        state,
        config,
        register: register_at(state, config, now)?,
        causes: causes(&all),
        guilty,
        presumed,
        zone,
        now,
    };
    let mut letters = Vec::new();
    let mut left = rows;
    for target in config.status.iter().filter_map(StatusConfig::mail) {
        if !target.problems {
            continue;
        }
        let is_its = |row: &ProblemRow| {
            let mut known = config.builders.iter();
            let known = known.find(|builder| builder.name == row.builder);
            match known {
                Some(builder) => target.telling.has_builder(builder),
                // What is gone with its builder is told, too (PRB-15).
                None => target
                    .telling
                    .has_builder(&BuilderConfig::named(row.builder.clone())),
            }
        };
        let (its, others) = left.into_iter().partition(is_its);
        left = others;
        letters.extend(scene.letters(target, &its, &said)?);
    }
    Ok(letters)
}

const fn before(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(
        now.0
            .saturating_sub_unsigned(time.as_secs().saturating_mul(1_000_000)),
    )
}

/// What is the same for all problems.
struct Scene<'a> {
    state: &'a State,
    config: &'a Config,
    register: Register,
    causes: BTreeMap<ProblemNumber, ProblemNumber>,
    /// Whose change was proved to have caused a problem (SRH-17).
    guilty: BTreeMap<ProblemNumber, Suspect>,
    /// The change that has caused the same on another builder (SRH-12).
    presumed: BTreeMap<ProblemNumber, Presumed>,
    /// The time zone of people who have not said theirs.
    zone: Zone,
    now: Timestamp,
}

impl Scene<'_> {
    /// The letters of a target.
    fn letters(
        &self,
        target: &MailNotifierConfig,
        rows: &[ProblemRow],
        said: &SaidRows,
    ) -> Result<Vec<Telling>, StoreError> {
        let mut first: BTreeMap<ProblemNumber, Timestamp> = BTreeMap::new();
        for row in rows {
            let opened = first.entry(self.cause(row)).or_insert(row.opened_at);
            *opened = row.opened_at.min(*opened);
        }
        let mut affairs = Vec::new();
        for row in rows {
            let hands = Hands::at(self.now, &row.remarks);
            let opened_at = first.get(&self.cause(row)).copied();
            let state = row.problem.state;
            let is_dismissed = state == ProblemState::Open && hands.dismissal.is_some();
            affairs.push(Affair {
                number: row.problem.number,
                opened_at: opened_at.unwrap_or(row.opened_at),
                state: if is_dismissed {
                    ProblemState::Dismissed
                } else {
                    state
                },
                people: self.people(row, &hands)?,
            });
        }
        let rules = &self.config.problems;
        let due = due(&affairs, &said.said, &said.written, rules, self.now);
        let letters = due.into_iter();
        let letters =
            letters.map(|(person, due)| self.letter(target, (rows, &affairs), person, due));
        Ok(letters.collect())
    }

    fn cause(&self, row: &ProblemRow) -> ProblemNumber {
        let number = row.problem.number;
        self.causes.get(&number).copied().unwrap_or(number)
    }

    /// What a problem makes of whom. Of several roles, the strongest counts.
    fn people(
        &self,
        row: &ProblemRow,
        hands: &Hands,
    ) -> Result<BTreeMap<String, Standing>, StoreError> {
        let mut people = self.roles(row, hands)?;
        for (person, standing) in &mut people {
            standing.is_muted = hands.is_muted_for(person);
            standing.reminders = match hands.claims.keys().all(|claimant| claimant == person) {
                true => self.reminders(row, person, standing.role)?,
                // Others rest while somebody is on it (PRB-20).
                false => Reminders::Later,
            };
        }
        Ok(people)
    }

    /// Who has which role in a problem.
    fn roles(
        &self,
        row: &ProblemRow,
        hands: &Hands,
    ) -> Result<BTreeMap<String, Standing>, StoreError> {
        if self.state.problem_at_origin(row)?.is_some() {
            // The branch has it from where it begins.
            return Ok(BTreeMap::new());
        }
        let mut people = BTreeMap::new();
        let mut add = |who: &str, role| {
            let standing = Standing {
                role,
                is_muted: false,
                reminders: Reminders::None,
            };
            match people.entry(self.name(who)) {
                Entry::Vacant(place) => drop(place.insert(standing)),
                Entry::Occupied(mut known) => {
                    if role < known.get().role {
                        known.insert(standing);
                    }
                }
            }
        };
        let slave = row.problem.found.slave.as_ref().or(row.subject.slave());
        if row.subject.is_infrastructure() || slave.is_some() {
            let admin = slave.map(|slave| self.admin(slave)).transpose()?;
            let mut all: Vec<_> = self.holders(OPERATOR).collect();
            all.extend(admin.as_ref().and_then(Option::as_deref));
            if all.is_empty() {
                all.extend(self.holders(SHERIFF));
            }
            all.into_iter()
                .for_each(|person| add(person, Role::Responsible));
            return Ok(people);
        }
        for who in hands.guilty.keys() {
            add(who, Role::Guilty);
        }
        for who in hands.claims.keys() {
            add(who, Role::Responsible);
        }
        let proved = self.guilty.get(&row.problem.number);
        let proved = proved.filter(|found| !hands.is_freed(&found.who));
        if let Some(found) = proved {
            add(&found.who, Role::Guilty);
        }
        let sole = hands.sole_suspect(&row.problem);
        let presumed = self.presumed.get(&row.problem.number);
        let named = proved.map(|found| found.change);
        let named = named.or(presumed.map(|found| found.change));
        for suspect in hands.suspects(&row.problem) {
            // One has done it, here or on another builder, so the others have not (SRH-17).
            if named.is_some_and(|change| change != suspect.change) {
                continue;
            }
            if hands.cleared.contains_key(&self.name(&suspect.who)) {
                continue;
            }
            let role = match sole {
                Some(_) => Role::SoleSuspect,
                None if row.problem.found.doubt.is_some() => Role::Interested,
                None => Role::Suspect,
            };
            add(&suspect.who, role);
        }
        for owner in self.owners(row)? {
            add(&owner, Role::Responsible);
        }
        if hands.suspects(&row.problem).next().is_none() || row.problem.found.doubt.is_some() {
            self.holders(SHERIFF)
                .for_each(|person| add(person, Role::Responsible));
        }
        for who in self.owners_of_build(row)? {
            add(&who, Role::Interested);
        }
        Ok(people)
    }

    /// Who looks after a slave, as it says (INF-05).
    fn admin(&self, slave: &SlaveName) -> Result<Option<String>, StoreError> {
        let mut slaves = self.state.slaves()?.into_iter();
        let slave = slaves.find(|row| row.name == *slave);
        let admin = slave.and_then(|slave| slave.info.get("admin").cloned());
        let admin = admin.map(|admin| admin.trim().to_owned());
        // So a slave says that nobody has written it down.
        let is_somebody = |admin: &String| !admin.is_empty() && !admin.contains(".invalid");
        Ok(admin.filter(is_somebody))
    }

    /// The name of the person whom `who` means, else the text itself.
    fn name(&self, who: &str) -> String {
        let known = self.register.get(who);
        let known = known.or_else(|| self.register.person_in_any(who).map(|(person, _)| person));
        known.map_or(who, |person| &person.name).to_owned()
    }

    fn holders(&self, role: &str) -> impl Iterator<Item = &str> {
        let people = self.register.iter();
        let holders = people.filter(move |person| person.roles.contains(role));
        holders.map(|person| person.name.as_str())
    }

    /// The owners of the builder, of the step or the test, and of the files in the suspected
    /// changes (PRB-19, WHO-08).
    fn owners(&self, row: &ProblemRow) -> Result<Vec<String>, StoreError> {
        let mut changes = Vec::new();
        for suspect in row.problem.suspects.iter().take(MOST_OWNED) {
            changes.extend(self.state.change(suspect.change)?);
        }
        let files = changes.iter().map(|change| {
            let content = &change.content;
            (content.files.as_slice(), content.repository.as_str())
        });
        let mut owners = owners_of_files(self.state, self.config, files)?;
        owners.extend(self.config.owners_of_builder(row.builder.as_str()));
        if let Some(step) = row.subject.step() {
            let test = row.subject.test().map(TestName::shown);
            owners.extend(self.config.owners_of_subject(step, test.as_deref()));
        }
        Ok(owners)
    }

    /// The owners of the first build that fails (BUI-09).
    fn owners_of_build(&self, row: &ProblemRow) -> Result<Vec<String>, StoreError> {
        let Some(number) = row.first_build else {
            return Ok(Vec::new());
        };
        let build = self.state.build(&row.builder, number)?;
        let owners = build.map(|build| interested_users(&[], &build.properties));
        Ok(owners.unwrap_or_default())
    }

    /// How often a person may be reminded (ESC-03 to ESC-06).
    fn reminders(
        &self,
        row: &ProblemRow,
        person: &str,
        role: Role,
    ) -> Result<Reminders, StoreError> {
        let found = &row.problem.found;
        if !matches!(role, Role::Guilty | Role::SoleSuspect)
            || found.doubt.is_some()
            || found.unseen_since.is_some()
        {
            return Ok(Reminders::None);
        }
        if self.is_quiet_for(person) || self.is_on_it(row, person, found.last)? {
            return Ok(Reminders::Later);
        }
        Ok(match role == Role::Guilty {
            true => Reminders::All,
            false if self.cannot_be_verified(row) => Reminders::One,
            // A search says more.
            false => Reminders::None,
        })
    }

    /// Whether the master may not search for who did it (ESC-03).
    fn cannot_be_verified(&self, row: &ProblemRow) -> bool {
        let mut builders = self.config.builders.iter();
        let builder = builders.find(|builder| builder.name == row.builder);
        let step = row.subject.step().unwrap_or_default();
        let may = builder.is_some_and(|builder| builder.refuses_search(step).is_none());
        !(may && self.config.search.automatic)
    }

    /// Whether reminders of a person wait for the morning (ESC-06).
    fn is_quiet_for(&self, person: &str) -> bool {
        let own = |wanted: AttributeKind| {
            let attributes = self.register.get(person).into_iter();
            let mut attributes = attributes.flat_map(|person| &person.attributes);
            attributes.find(|attribute| attribute.kind == wanted)
        };
        let hours = own(AttributeKind::QuietHours);
        let hours = hours.and_then(|hours| QuietHours::parse(&hours.value));
        let zone = own(AttributeKind::Zone).and_then(|zone| Zone::named(&zone.value));
        let now = self.now.0.div_euclid(1_000_000);
        let local = now + zone.unwrap_or(self.zone).offset_at(now);
        self.config.problems.quiet_hours && hours.unwrap_or(QuietHours::USUAL).has(local)
    }

    /// Whether a newer change of the person is on its way (ESC-05).
    fn is_on_it(
        &self,
        row: &ProblemRow,
        person: &str,
        last: ChangeNumber,
    ) -> Result<bool, StoreError> {
        let mut names: BTreeSet<&str> = [person].into();
        let suspects = row.problem.suspects.iter().map(|one| one.who.as_str());
        names.extend(suspects.filter(|who| self.name(who) == person));
        for who in names {
            if self.state.has_newer_change(who, last, &row.builder)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The letter to a person.
    fn letter(
        &self,
        target: &MailNotifierConfig,
        (rows, affairs): (&[ProblemRow], &[Affair]),
        person: String,
        due: Due,
    ) -> Telling {
        let mut told: Vec<ProblemFacts> = Vec::new();
        let mut responsible = BTreeSet::new();
        let mut thread = None;
        for (number, say) in due.iter().take(MOST_TOLD) {
            let mut both = rows.iter().zip(affairs);
            let Some((row, affair)) = both.find(|(row, _)| row.problem.number == *number) else {
                continue;
            };
            thread = thread.or(Some(self.cause(row)));
            let people = affair.people.iter();
            let owners =
                people.filter(|(who, its)| its.role == Role::Responsible && **who != person);
            responsible.extend(owners.map(|(who, _)| who.clone()));
            let role = affair
                .people
                .get(&person)
                .map_or(Role::Interested, |its| its.role);
            told.push(problem_facts(row, *say, role));
        }
        let harshness = due.iter().map(|(_, say)| say.harshness()).max();
        let mut read_along = BTreeSet::new();
        if harshness >= Some(3) {
            read_along.clone_from(&responsible);
        }
        if harshness >= Some(4) {
            read_along.extend(self.holders(SHERIFF).map(str::to_owned));
        }
        let is_reachable = is_reachable(&person, &self.register, &target.lookup);
        if !is_reachable {
            read_along = responsible;
        }
        let told = ProblemsTold {
            more: (due.len().saturating_sub(told.len())) as u64,
            problems: told,
            read_along: read_along.into_iter().collect(),
            thread: thread.unwrap_or(ProblemNumber(0)),
            instead_of: (!is_reachable).then(|| person.clone()),
            person: person.clone(),
        };
        let unreached = (!is_reachable).then(|| Unreached {
            told: ProblemsTold {
                read_along: Vec::new(),
                instead_of: None,
                ..told.clone()
            },
            keeps_mail: !target.extra_recipients.is_empty(),
        });
        let can_be_told =
            is_reachable || !told.read_along.is_empty() || !target.extra_recipients.is_empty();
        let choice = Choice::of(self.register.get(&person));
        let op = LetterOp::ProblemsTold {
            letter: can_be_told.then(|| Letter::of_problems(&target.telling.name, told, self.now)),
            beside: Vec::new(),
            person,
            said: due,
            at: self.now,
        };
        Telling {
            op,
            choice,
            unreached,
        }
    }
}
