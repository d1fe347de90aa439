//! Costs of requests, reconfigures and slaves in a core with many of them:
//! `cargo bench --bench queue`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::botmaster::{
    BotMaster, BuildCommand, BuildInput, BuildOutcome, Command, Input, SessionId, SlaveCommand,
    SlaveInput,
};
use buildmaster::config::{self, Config};
use buildmaster::model::journal::RecoveredSet;
use buildmaster::model::{
    BuildRequest, BuildSet, BuilderName, Mono, Now, Properties, Recovered, RequestId, Results,
    SetId, Timestamp, Zone,
};
use divan::Bencher;
use divan::counter::ItemsCount;

const BUILDERS: usize = 200;
const SLAVES: usize = 20;

const NOW: Now = Now {
    mono: Mono(Duration::from_secs(1)),
    wall: Timestamp(1_000_000),
};

fn main() {
    divan::main();
}

/// 20 slaves build all requests of 200 builders, one build each at a time.
#[divan::bench(args = [10_000, 100_000], sample_count = 5, sample_size = 1)]
fn drained_over_200_builders(bencher: Bencher<'_, '_>, requests: u64) {
    let config = Arc::new(configuration(1));
    bencher
        .counter(ItemsCount::new(requests))
        .with_inputs(|| BotMaster::new(Arc::clone(&config), waiting(requests), 1, NOW))
        .bench_values(|core| assert_eq!(drain(core, SLAVES).builds, requests));
}

/// The same under a `request_order` of two terms, which must cost at most a fifth more (CFL-150).
#[divan::bench(args = [10_000, 100_000], sample_count = 5, sample_size = 1)]
fn drained_under_a_request_order(bencher: Bencher<'_, '_>, requests: u64) {
    let config = Arc::new(builders_with(BUILDERS, SLAVES, 1, TWO_TERMS));
    bencher
        .counter(ItemsCount::new(requests))
        .with_inputs(|| BotMaster::new(Arc::clone(&config), waiting(requests), 1, NOW))
        .bench_values(|core| assert_eq!(drain(core, SLAVES).builds, requests));
}

/// All requests enter the queues of their builders, with and without a `request_order` of two terms
/// (CFL-150).
#[divan::bench(args = [("", 100_000), (TWO_TERMS, 1_000), (TWO_TERMS, 100_000)], sample_count = 5, sample_size = 1)]
fn queued(bencher: Bencher<'_, '_>, (order, requests): (&str, u64)) {
    let config = Arc::new(builders_with(BUILDERS, SLAVES, 1, order));
    bencher
        .counter(ItemsCount::new(requests))
        .with_inputs(|| waiting(requests))
        .bench_values(|waiting| BotMaster::new(Arc::clone(&config), waiting, 1, NOW));
}

const TWO_TERMS: &str = "request_order = [\"prop.tag is defined\", \"src.branch == 'release'\"]\n";

/// SLV-14: all slaves connect at once, each for ten builders, without rate limits.
#[divan::bench(args = [100, 1_000], sample_count = 10, sample_size = 1)]
fn slaves_attach_to_10_builders(bencher: Bencher<'_, '_>, slaves: usize) {
    let config = Arc::new(many_builders(10, slaves, 1));
    bencher
        .counter(ItemsCount::new(slaves))
        .with_inputs(|| BotMaster::new(Arc::clone(&config), Recovered::default(), 1, NOW))
        .bench_values(|core| assert_eq!(drain(core, slaves).logins, slaves));
}

/// A reconfigure changes `max_builds` of all slaves. Builders are unchanged, and no slave is
/// connected.
#[divan::bench(args = [200, 2_000])]
fn a_reconfigure_with_many_builders(bencher: Bencher<'_, '_>, builders: usize) {
    let configs = [1, 2].map(|max| Arc::new(many_builders(builders, SLAVES, max)));
    let mut core = BotMaster::new(Arc::clone(&configs[0]), Recovered::default(), 1, NOW);
    while core.next_command().is_some() {}
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let reply = buildmaster::botmaster::ReplyId(turn);
        let config = Arc::clone(&configs[usize::from(turn.is_multiple_of(2))]);
        core.handle(
            NOW,
            Input::Reconfigured {
                config,
                dry_run: false,
                reply,
            },
        );
        while core.next_command().is_some() {}
    });
}

fn configuration(max_builds: u32) -> Config {
    many_builders(BUILDERS, SLAVES, max_builds)
}

fn many_builders(builders: usize, slaves: usize, max_builds: u32) -> Config {
    builders_with(builders, slaves, max_builds, "")
}

/// The same with these settings of all builders.
fn builders_with(builders: usize, slaves: usize, max_builds: u32, settings: &str) -> Config {
    let mut text = settings.to_owned();
    text.push_str("merge_requests = false\n[factories.none]\nsteps = []\n");
    let names = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("{prefix}{n}")).collect()
    };
    let slaves = names("s", slaves);
    for slave in &slaves {
        let local =
            format!("[[slaves]]\nname = {slave:?}\ntype = \"local\"\nmax_builds = {max_builds}\n");
        text.push_str(&local);
    }
    for builder in names("b", builders) {
        let lines =
            format!("[[builders]]\nname = {builder:?}\nslaves = {slaves:?}\nfactory = \"none\"\n");
        text.push_str(&lines);
    }
    writeln!(text).unwrap();
    config::parse(&text, "bench.toml", &Ok(Zone::UTC))
        .unwrap()
        .0
}

fn waiting(requests: u64) -> Recovered {
    let builders = (0..BUILDERS).map(|n| BuilderName::from(format!("b{n}").as_str()));
    let builders: Vec<_> = builders.collect();
    let sets = (1..=requests)
        .zip(builders.iter().cycle())
        .map(|(id, builder)| {
            let set = BuildSet {
                id: SetId(id),
                external_id: None,
                scheduler: None,
                stamps: Arc::default(),
                reason: String::new(),
                properties: Arc::default(),
                submitted_at: Timestamp(0),
                priority: 0,
                requests: vec![(RequestId(id), builder.clone())],
                parent: None,
            };
            RecoveredSet {
                set: Arc::new(set),
                finished: Vec::new(),
            }
        });
    let sets: Vec<_> = sets.collect();
    let requests = sets.iter().map(|recovered| BuildRequest {
        id: recovered.set.requests[0].0,
        set: recovered.set.id,
        builder: recovered.set.requests[0].1.clone(),
        stamps: Arc::clone(&recovered.set.stamps),
        reason: "".into(),
        properties: Arc::clone(&recovered.set.properties),
        submitted_at: Timestamp(0),
        priority: 0,
        retries: 0,
        start_count: 0,
    });
    Recovered {
        requests: requests.collect(),
        sets,
        ..Recovered::default()
    }
}

/// Counts of what the core did.
#[derive(Default)]
struct Done {
    /// Finished builds.
    builds: u64,
    /// Slaves whose login was answered.
    logins: usize,
}

/// All slaves connect and answer at once, until no work is left.
fn drain(mut core: BotMaster, slaves: usize) -> Done {
    let mut inputs: VecDeque<Input> = (0..slaves)
        .map(|n| {
            SlaveInput::LoggedIn {
                slave: format!("s{n}").as_str().into(),
                address: String::new(),
            }
            .of(SessionId(u64::try_from(n).unwrap()))
        })
        .collect();
    let mut done = Done::default();
    loop {
        while let Some(command) = core.next_command() {
            done.builds += u64::from(matches!(
                command,
                Command::Build {
                    what: BuildCommand::Run { .. },
                    ..
                }
            ));
            done.logins += usize::from(matches!(
                command,
                Command::Slave {
                    what: SlaveCommand::CompleteLogin,
                    ..
                }
            ));
            inputs.extend(answer(command));
        }
        let Some(input) = inputs.pop_front() else {
            return done;
        };
        core.handle(NOW, input);
    }
}

fn answer(command: Command) -> Option<Input> {
    Some(match command {
        Command::Persist { ticket, .. } => Input::Persisted(ticket?),
        Command::Slave { session, what } => return answer_of_slave(session, what),
        Command::Build {
            what: BuildCommand::Run { plan, .. },
            ..
        } => BuildInput::Finished {
            outcome: BuildOutcome {
                result: Results::Success,
                text: Vec::new(),
                stop_reason: None,
                properties: Properties::new(),
                took: BTreeMap::new(),
                abandoned_command: false,
            },
        }
        .of(plan.build),
        Command::Reply { .. }
        | Command::Build { .. }
        | Command::Instance { .. }
        | Command::Check { .. }
        | Command::Announce(_)
        | Command::Unexpected { .. }
        | Command::Exit => return None,
    })
}

fn answer_of_slave(session: SessionId, command: SlaveCommand) -> Option<Input> {
    Some(match command {
        SlaveCommand::Greet => SlaveInput::Described {
            info: Arc::default(),
        }
        .of(session),
        SlaveCommand::SendBuilderList { builders } => SlaveInput::BuilderListAnswered {
            result: Ok(builders.into_iter().map(|(name, _)| name).collect()),
        }
        .of(session),
        SlaveCommand::SetMaster { builder, epoch } => SlaveInput::MasterSet {
            builder,
            epoch,
            ok: true,
        }
        .of(session),
        SlaveCommand::GreetBuilder { builder, epoch } => SlaveInput::BuilderGreeted {
            builder,
            epoch,
            ok: true,
        }
        .of(session),
        SlaveCommand::Ping { builder, ping } => SlaveInput::PingAnswered {
            builder,
            ping,
            ok: true,
        }
        .of(session),
        SlaveCommand::StartBuild { builder, epoch } => SlaveInput::BuildStartAnswered {
            builder,
            epoch,
            ok: Ok(()),
        }
        .of(session),
        SlaveCommand::CheckAlive
        | SlaveCommand::Drop { .. }
        | SlaveCommand::CompleteLogin
        | SlaveCommand::Shutdown => return None,
    })
}
