//! Random histories of a cluster, against a naive computation of what they amount to.
//!
//! After every event, of each stream: what its messages amount to equals what is computed from all objects
//! anew; an event of another namespace has sent it nothing; no address is shown whose object is gone. A
//! history that fails is made as short as possible and printed.
//!
//! `MODEL_EVENTS` says how many events there are (a million in CI), `MODEL_SEED` which.

mod client;
mod event;
mod objects;
mod oracle;
mod profiles;
mod run;
mod shrink;
mod told;

use self::{
    event::{Event, Random},
    run::Run,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

/// Events of one history. Short ones are soon made shorter; long ones meet more of themselves.
const LENGTH: usize = 250;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tells an index a history, and checks it after every event.
fn play(history: &[Event]) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut run = Run::new();
        for (i, event) in history.iter().enumerate() {
            run.step(*event).map_err(|why| format!("after event {i}: {why}"))?;
        }
        run.end()
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    })
}

#[track_caller]
fn must_hold(history: Vec<Event>, origin: &str) {
    if play(&history).is_err() {
        let (history, why) = shrink::shortest(history, &play);
        panic!("{why}\n{origin}, made as short as possible:\n{history:#?}");
    }
}

#[test]
fn what_streams_are_told_is_what_is_true() {
    let events = variable("MODEL_EVENTS").unwrap_or(100_000);
    let seed = variable("MODEL_SEED").unwrap_or_else(event::any_seed);
    let (next, histories) = (AtomicU64::new(0), events.div_ceil(LENGTH as u64));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= histories {
                break;
            }
            let mut random = Random::new(seed.wrapping_add(number));
            let history = (0..LENGTH).map(|_| Event::random(&mut random)).collect();
            must_hold(history, &format!("history {number} of MODEL_SEED={seed}"));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn a_failure_is_made_as_short_as_it_can_be() {
    let mut random = Random::new(7);
    let history: Vec<_> = (0..LENGTH).map(|_| Event::random(&mut random)).collect();
    // Fails once two pods of one name but of different namespaces were told of.
    let fails = |history: &[Event]| {
        let pods = |ns| history.iter().any(|event| event.kind == event::Kind::Pod && event.ns == ns && event.name == 2);
        if pods(0) && pods(1) { Err("twins".to_owned()) } else { Ok(()) }
    };
    let (history, why) = shrink::shortest(history, &fails);
    assert_eq!((history.len(), why.as_str()), (2, "twins"));
    assert!(history.iter().all(|event| event.bits == 0));
}
