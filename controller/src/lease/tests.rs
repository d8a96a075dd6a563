mod fake;

use self::fake::{Network, Server};
use super::*;
use crate::tasks::Tasks;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{collections::BTreeMap, sync::Arc};

/// When each candidate worked, on the paused clock; a spell without an end lasts on.
#[derive(Clone, Default)]
struct Worked(Arc<Mutex<BTreeMap<String, Spells>>>);

type Spells = Vec<(Instant, Option<Instant>)>;

impl Worked {
    fn is_working(&self, identity: &str) -> bool {
        self.0.lock().get(identity).and_then(|spells| spells.last()).is_some_and(|(_, end)| end.is_none())
    }

    fn workers(&self) -> Vec<String> {
        let identities: Vec<String> = self.0.lock().keys().cloned().collect();
        identities.into_iter().filter(|identity| self.is_working(identity)).collect()
    }

    fn spells(&self, identity: &str) -> usize {
        self.0.lock().get(identity).map_or(0, Vec::len)
    }

    async fn until(&self, identity: &str, works: bool) {
        let waiting = async {
            while self.is_working(identity) != works {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(600), waiting).await;
        assert!(in_time.is_ok(), "{identity} never came to work: {works}; {:?} do", self.workers());
    }
}

/// Notes the end of a spell of work, however it ends.
struct Spell(Worked, String);

impl Drop for Spell {
    fn drop(&mut self) {
        if let Some((_, end)) = self.0.0.lock().get_mut(&self.1).and_then(|spells| spells.last_mut()) {
            *end = Some(Instant::now());
        }
    }
}

struct Replica {
    network: Network,
    tasks: Tasks,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), Infallible>>,
}

impl Replica {
    fn start(server: &Server, identity: &str, worked: &Worked) -> Self {
        let (network, shutdown, (tasks, _)) = (Network::default(), CancellationToken::new(), Tasks::new());
        let candidacy = Candidacy {
            namespace: "linkerd".to_owned(),
            name: "the-lease".to_owned(),
            identity: identity.to_owned(),
            timing: Timing::default(),
        };
        let election = Election::new(server.client(&network), candidacy, &tasks);
        let (worked, identity) = (worked.clone(), identity.to_owned());
        let running = tokio::spawn(election.run(shutdown.clone(), move |leadership| {
            let (worked, identity) = (worked.clone(), identity.clone());
            async move {
                worked.0.lock().entry(identity.clone()).or_default().push((Instant::now(), None));
                let _spell = Spell(worked, identity);
                loop {
                    assert!(leadership.is_held(), "the work went on without the Lease");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }));
        Self { network, tasks, shutdown, running }
    }

    /// Ends it as a crash would: it gives nothing back.
    fn crash(self) {
        self.running.abort();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn seconds(range: std::ops::Range<u64>) -> std::ops::Range<Duration> {
    Duration::from_secs(range.start)..Duration::from_secs(range.end)
}

// Case 74.
#[tokio::test(start_paused = true)]
async fn one_of_two_works_and_the_other_takes_over_when_its_lease_has_run_out() {
    let (server, worked) = (Server::default(), Worked::default());
    let first = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    let _second = Replica::start(&server, "second", &worked);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(worked.workers(), ["first"]);
    assert_eq!(worked.spells("first"), 1);
    let killed = Instant::now();
    first.crash();
    worked.until("second", true).await;
    assert!(seconds(28..33).contains(&killed.elapsed()), "{:?}", killed.elapsed());
    assert_eq!(server.spec()["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_given_back_at_shutdown_and_taken_at_once() {
    let (server, worked) = (Server::default(), Worked::default());
    let first = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    let second = Replica::start(&server, "second", &worked);
    sleep(Duration::from_secs(10)).await;
    let stopped = Instant::now();
    first.stop().await;
    assert!(!worked.is_working("first"));
    worked.until("second", true).await;
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    second.stop().await;
    assert!(server.spec()["holderIdentity"].is_null());
}

#[tokio::test(start_paused = true)]
async fn work_stops_long_before_another_may_start_it() {
    for network in [Network::SILENT, Network::DOWN, Network::FORBIDDEN] {
        let (server, worked) = (Server::default(), Worked::default());
        let first = Replica::start(&server, "first", &worked);
        worked.until("first", true).await;
        let _second = Replica::start(&server, "second", &worked);
        sleep(Duration::from_secs(60)).await;
        first.network.set(network);
        let cut = Instant::now();
        worked.until("first", false).await;
        assert!(cut.elapsed() <= Duration::from_secs(10), "{:?}", cut.elapsed());
        worked.until("second", true).await;
        assert!(seconds(28..33).contains(&cut.elapsed()), "{:?}", cut.elapsed());
        // Once it hears again it stands by.
        first.network.set(Network::UP);
        sleep(Duration::from_secs(120)).await;
        assert_eq!(worked.workers(), ["second"]);
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_of_other_machines_do_not_matter() {
    for renewed in ["1970-01-01T00:00:00.000000Z", "2199-01-01T00:00:00.000000Z"] {
        let (server, worked) = (Server::default(), Worked::default());
        server.set_spec(serde_json::json!({
            "holderIdentity": "other", "leaseDurationSeconds": 30, "renewTime": renewed, "leaseTransitions": 4,
        }));
        let seen = Instant::now();
        let _replica = Replica::start(&server, "first", &worked);
        worked.until("first", true).await;
        assert!(seconds(30..31).contains(&seen.elapsed()), "{:?}", seen.elapsed());
        assert_eq!(server.spec()["leaseTransitions"], 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_says_itself_for_how_long_it_asks() {
    for (asked, waited) in [(Some(100), 100..101), (Some(0), 30..31), (Some(-5), 30..31), (None, 30..31)] {
        let (server, worked) = (Server::default(), Worked::default());
        server.set_spec(serde_json::json!({"holderIdentity": "other", "leaseDurationSeconds": asked}));
        let seen = Instant::now();
        let _replica = Replica::start(&server, "first", &worked);
        worked.until("first", true).await;
        assert!(seconds(waited).contains(&seen.elapsed()), "{asked:?}: {:?}", seen.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_another_took_stops_at_its_next_renewal_and_stands_again() {
    let (server, worked) = (Server::default(), Worked::default());
    let _replica = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    server.set_spec(serde_json::json!({"holderIdentity": "thief", "leaseDurationSeconds": 30}));
    let taken = Instant::now();
    worked.until("first", false).await;
    assert!(taken.elapsed() < Duration::from_secs(3));
    worked.until("first", true).await;
    assert!(taken.elapsed() >= Duration::from_secs(30));
    assert_eq!(worked.spells("first"), 2);
}

#[tokio::test(start_paused = true)]
async fn edits_of_metadata_and_a_deleted_lease_do_not_interrupt_the_work() {
    let (server, worked) = (Server::default(), Worked::default());
    let _first = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    let _second = Replica::start(&server, "second", &worked);
    sleep(Duration::from_secs(10)).await;
    server.touch();
    sleep(Duration::from_secs(10)).await;
    server.delete();
    sleep(Duration::from_secs(300)).await;
    assert_eq!((worked.workers(), worked.spells("first")), (vec!["first".to_owned()], 1));
    assert_eq!(server.spec()["holderIdentity"], "first");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_process_goes_on_under_its_own_name() {
    let (server, worked) = (Server::default(), Worked::default());
    let first = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    first.crash();
    let (started, again) = (Instant::now(), Worked::default());
    let _first = Replica::start(&server, "first", &again);
    again.until("first", true).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(server.spec()["leaseTransitions"], 0);
}

#[tokio::test(start_paused = true)]
async fn standing_and_errors_are_shown_with_what_to_do() {
    let (server, worked) = (Server::default(), Worked::default());
    let replica = Replica::start(&server, "first", &worked);
    worked.until("first", true).await;
    assert!(replica.tasks.metrics.encode().contains("leader_election_master_status{name=\"the-lease\"} 1\n"));
    replica.network.set(Network::FORBIDDEN);
    worked.until("first", false).await;
    assert!(replica.tasks.metrics.encode().contains("leader_election_master_status{name=\"the-lease\"} 0\n"));
    let dump = replica.tasks.diagnostics.dump();
    let error = dump["lease linkerd/the-lease"]["lastError"].as_str().unwrap();
    assert!(error.contains("cannot update Lease linkerd/the-lease") || error.contains("cannot read"), "{error}");
    assert!(error.contains("grant this process get, create and update of leases.coordination.k8s.io"), "{error}");
}

/// Replicas whose networks fail at random for an hour: never do two work at once, and work is done as
/// long as one of them hears.
#[tokio::test(start_paused = true)]
async fn two_never_work_at_once_whatever_the_network_does() {
    let mut random = StdRng::seed_from_u64(74);
    let (server, worked) = (Server::default(), Worked::default());
    let replicas: Vec<_> = ["a", "b", "c"].iter().map(|name| Replica::start(&server, name, &worked)).collect();
    let (mut idle, end) = (Instant::now(), Instant::now() + Duration::from_secs(2 * 60 * 60));
    while Instant::now() < end {
        let chosen = &replicas[random.random_range(0..replicas.len())];
        let states = [Network::UP, Network::UP, Network::SILENT, Network::DOWN, Network::LOST_ANSWERS];
        chosen.network.set(states[random.random_range(0..states.len())]);
        if random.random_range(0..20) == 0 {
            server.touch();
        }
        for _ in 0..random.random_range(1..400) {
            sleep(Duration::from_millis(100)).await;
            let workers = worked.workers();
            assert!(workers.len() <= 1, "{workers:?}");
            let hears = replicas.iter().any(|replica| replica.network.has_been_up_for(Duration::from_secs(70)));
            if !workers.is_empty() || !hears {
                idle = Instant::now();
            }
            assert!(idle.elapsed() < Duration::from_secs(70), "nobody works");
        }
    }
    assert!(["a", "b", "c"].iter().all(|name| worked.spells(name) > 2), "too little happened");
}
