use super::*;
use std::cell::Cell;

/// Something that becomes well when it was looked at often enough.
#[derive(Default)]
struct Patient {
    visits: Cell<usize>,
    forgotten: usize,
}

impl Subject for Patient {
    fn forget(&mut self) {
        self.forgotten += 1;
    }
}

/// What a user would have seen.
#[derive(Default)]
struct Seen {
    pending: Vec<String>,
    ended: Vec<(String, Outcome)>,
}

impl Observer for Seen {
    fn pending(&mut self, text: &str) {
        self.pending.push(text.to_owned());
    }

    fn ended(&mut self, entry: Entry) -> anyhow::Result<()> {
        self.ended.push((entry.description, entry.outcome));
        Ok(())
    }
}

const fn check(title: &'static str, run: Run<Patient>) -> Check<Patient> {
    Check::new("category", title, "anchor", run)
}

const GOOD: Run<Patient> = |_| Box::pin(async { Ok(()) });
const BAD: Run<Patient> = |_| Box::pin(async { Err(Finding::error("ill")) });
const SKIPPED: Run<Patient> = |_| Box::pin(async { Err(Finding::Skipped) });
const HANGING: Run<Patient> = |_| Box::pin(std::future::pending());
const HEALING: Run<Patient> = |patient| {
    Box::pin(async {
        let visits = patient.visits.replace(patient.visits.get() + 1);
        if visits < 3 { Err(Finding::Error(format!("ill at visit {visits}"))) } else { Ok(()) }
    })
};

async fn outcome(checks: Vec<Check<Patient>>, wait: u64) -> (bool, Seen, Patient, Duration) {
    let (mut seen, mut patient, start) = (Seen::default(), Patient::default(), Instant::now());
    let deadline = start + Duration::from_secs(wait);
    let is_success = run(checks, &mut patient, deadline, &mut seen).await.unwrap();
    (is_success, seen, patient, start.elapsed())
}

fn titles(seen: &Seen) -> Vec<&str> {
    seen.ended.iter().map(|(title, _)| title.as_str()).collect()
}

// Acceptance case 39 of installation.
#[tokio::test(start_paused = true)]
async fn a_fatal_failure_ends_the_run_and_another_does_not() {
    let checks = vec![check("a", GOOD), check("b", BAD), check("c", BAD).fatal(), check("d", GOOD)];
    let (is_success, seen, ..) = outcome(checks, 0).await;
    assert!(!is_success);
    assert_eq!(titles(&seen), ["a", "b", "c"]);
    assert_eq!(seen.ended[1].1, Outcome::Failed("ill".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_no_failure_even_of_a_fatal_check() {
    let warn: Run<Patient> = |_| Box::pin(async { Err(Finding::Warning("odd".to_owned())) });
    let (is_success, seen, ..) = outcome(vec![check("a", BAD).warning(), check("b", warn).fatal()], 0).await;
    assert!(is_success);
    let outcomes: Vec<_> = seen.ended.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Warned("ill".to_owned()), Outcome::Warned("odd".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_check_is_not_told_of() {
    let (is_success, seen, ..) = outcome(vec![check("a", SKIPPED).fatal().retried(), check("b", GOOD)], 60).await;
    assert!(is_success);
    assert_eq!(titles(&seen), ["b"]);
}

// Acceptance case 40 of installation.
#[tokio::test(start_paused = true)]
async fn a_check_that_heals_is_told_of_once_and_each_attempt_reads_anew() {
    let (is_success, seen, patient, took) = outcome(vec![check("a", HEALING).retried().with_reason()], 60).await;
    assert!(is_success);
    assert_eq!(titles(&seen), ["a"]);
    assert_eq!(seen.pending, ["a", "ill at visit 0", "ill at visit 1", "ill at visit 2"]);
    assert_eq!((patient.forgotten, took.as_secs()), (3, 15));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_show_its_reason_waits_silently() {
    let (_, seen, ..) = outcome(vec![check("a", HEALING).retried()], 60).await;
    assert_eq!(seen.pending[1..], [WAITING, WAITING, WAITING]);
}

#[tokio::test(start_paused = true)]
async fn all_checks_share_one_deadline() {
    let (is_success, seen, _, took) = outcome(vec![check("a", BAD).retried(), check("b", BAD).retried()], 12).await;
    assert!(!is_success);
    assert_eq!(titles(&seen), ["a", "b"]);
    assert_eq!(took.as_secs(), 10, "the second check finds no time left to wait");
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_nothing_is_tried_again() {
    let (_, seen, patient, took) = outcome(vec![check("a", HEALING).retried()], 0).await;
    assert_eq!((seen.ended.len(), patient.visits.get(), took.as_secs()), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_fails() {
    let (is_success, seen, _, took) = outcome(vec![check("a", HANGING)], 300).await;
    assert!(!is_success);
    assert_eq!(took, ATTEMPT);
    assert_eq!(seen.ended[0].1, Outcome::Failed("the cluster did not answer within 30 s".to_owned()));
}
