//! What builds are by the judgement of their problems (PRB-23).

use super::problems::{Farm, of_build};
use super::*;
use crate::model::{BuildNumber, Judgement};

#[test]
fn prb_23_a_build_says_what_is_new_what_fails_still_and_what_is_fixed() {
    use Judgement::{Fixed, New, Still};
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    let between = farm.change("eve");
    farm.commit("bob", Results::Failure, &["a.c:#: error"]);
    farm.commit("cid", Results::Failure, &["a.c:#: error"]);
    farm.commit("dan", Results::Failure, &["a.c:#: error", "b.c:#: error"]);
    farm.commit("fay", Results::Success, &[]);
    assert_eq!(of_build(&farm, 1), []);
    assert_eq!(of_build(&farm, 2), [(New, 1)]);
    assert_eq!(of_build(&farm, 3), [(Still, 1)]);
    assert_eq!(of_build(&farm, 4), [(Still, 1), (New, 2)]);
    assert_eq!(of_build(&farm, 5), [(Fixed, 1), (Fixed, 2)]);
    // The build in between was late: from now on, it is the first one.
    farm.build(between, Results::Failure, &["a.c:#: error"]);
    assert_eq!(of_build(&farm, 6), [(New, 1)]);
    assert_eq!(of_build(&farm, 2), [(Still, 1)]);
    let news = |number| {
        let state = open_state(farm.dir.path());
        let build = state.build(&"quick".into(), BuildNumber(number)).unwrap();
        build.unwrap().news
    };
    // Another error is news, although the build before has failed, too.
    assert_eq!([2, 3, 4, 5].map(news), [New, Still, New, Fixed].map(Some));
}

/// The judgement of the last build.
fn last_news(farm: &Farm) -> Option<Judgement> {
    let state = open_state(farm.dir.path());
    let build = state
        .build(&"quick".into(), BuildNumber(farm.builds))
        .unwrap();
    build.unwrap().news
}

#[test]
fn prb_23_a_build_that_passes_has_fixed_what_its_problems_say_it_has() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    farm.commit("bob", Results::Failure, &["x"]);
    // It is an accident: nothing is fixed by that.
    farm.build(2, Results::Success, &[]);
    assert_eq!(
        (last_news(&farm), of_build(&farm, farm.builds)),
        (None, vec![])
    );
    // Of a flaky step, three failures in a row are a problem, and three successes its end.
    let mut news = Vec::new();
    for result in [Results::Failure, Results::Success] {
        for _ in 0..3 {
            farm.commit("cid", result, &["x"]);
            news.push(last_news(&farm));
        }
    }
    let expected = [
        None,
        None,
        Some(Judgement::Still),
        None,
        None,
        Some(Judgement::Fixed),
    ];
    assert_eq!(news, expected);
    assert_eq!(of_build(&farm, farm.builds), [(Judgement::Fixed, 2)]);
}

#[test]
fn prb_23_without_an_answer_the_line_says_what_is_new_and_what_is_fixed() {
    let mut farm = Farm::new();
    farm.commit("ann", Results::Success, &[]);
    for expected in [Judgement::New, Judgement::Still] {
        let point = farm.change("bob");
        farm.build_with(point, Results::Failure, &["no route to host"], true);
        assert_eq!(last_news(&farm), Some(expected));
    }
    farm.commit("cid", Results::Success, &[]);
    assert_eq!(last_news(&farm), Some(Judgement::Fixed));
}

#[test]
fn prb_23_a_line_is_broken_since_its_oldest_problem_that_is_there() {
    let mut farm = Farm::new();
    let configured = Op::Configured {
        builders: vec![("quick".into(), vec![])],
        slaves: vec![],
    };
    farm.commit("ann", Results::Success, &[]);
    apply_all(farm.dir.path(), &[configured]);
    let since = |farm: &Farm| {
        let lines = open_state(farm.dir.path()).broken_lines().unwrap();
        let [line] = &lines[..] else {
            panic!("{lines:?}")
        };
        let began: Vec<_> = line.began.iter().map(|change| change.0).collect();
        (line.since.0, line.before.map(|build| build.0), began)
    };
    let point = farm.change("bob");
    farm.build_with(point, Results::Failure, &["no route to host"], true);
    assert_eq!(since(&farm), (2, Some(1), vec![2]), "no step answers");
    farm.commit("cid", Results::Failure, &["a.c:#: error"]);
    assert_eq!(since(&farm), (3, Some(1), vec![3]));
}
