//! Policies of inbound ports: which ends of a stream are final, and how soon it is there again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use linkerd_proto::inbound::{Authz, Server};
use linkerd2_proxy_double::ProxyDouble;
use linkerd2_proxy_double::state::{Rpc, State};
use tonic::{Code, Status};

use crate::answers::{Authority, server};
use crate::fake::{End, Fake, Reply, Scripts, asked};
use crate::{DEADLINE, config};

fn policy_name(state: &State) -> Result<String> {
    let port = state.inbound.get(&4191).context("the admin port is not watched")?;
    Ok(port.policy.as_ref().context("no policy")?.labels["name"].clone())
}

async fn start(port: impl Fn(usize) -> Reply<Server> + Send + Sync + 'static) -> Result<(Fake, ProxyDouble)> {
    let authority = Arc::new(Authority::make()?);
    let port = Box::new(move |nth: usize, _: &_| port(nth));
    let fake = Fake::start(Scripts { port, ..Scripts::default() }).await?;
    let double = ProxyDouble::start(config(&fake, &authority))?;
    Ok((fake, double))
}

#[tokio::test]
async fn a_policy_that_is_not_found_is_asked_for_until_it_is() -> Result<()> {
    let (_fake, double) = start(|nth| match nth {
        1..=3 => Reply::error(Status::not_found("unknown server")),
        _ => Reply::one(server("found")),
    })
    .await?;
    assert_eq!(double.until(DEADLINE, policy_name).await?, "found");
    let counter = double.state().counter(Rpc::WatchPort);
    assert_eq!((counter.requests, counter.errors[&Code::NotFound]), (4, 3));
    Ok(())
}

#[tokio::test]
async fn an_invalid_argument_ends_the_watch_for_good_and_keeps_the_policy() -> Result<()> {
    for code in [Code::InvalidArgument, Code::FailedPrecondition] {
        let (fake, double) = start(move |_| Reply(vec![server("last")], End::Error(Status::new(code, "no")))).await?;
        let ended = |state: &State| {
            let ended = state.inbound.get(&4191).and_then(|port| port.ended);
            ended == Some(code)
        };
        double.reaches(DEADLINE, ended).await?;
        assert_eq!(policy_name(&double.state())?, "last");
        // Enough for more requests of a port that is not final.
        let later = double.accept(8080);
        asked(&fake, |asked| asked.port.iter().any(|request| request.port == 8080)).await?;
        assert_eq!(fake.asked().port.iter().filter(|request| request.port == 4191).count(), 1);
        drop(later);
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_delivered_a_message_is_there_again_at_once() -> Result<()> {
    let (_fake, double) = start(|nth| match nth {
        1..=20 => Reply(
            vec![server(&nth.to_string())],
            if nth % 2 == 0 { End::Ok } else { End::Error(Status::unavailable("")) },
        ),
        _ => Reply::one(server("last")),
    })
    .await?;
    double.reaches(DEADLINE, |state| policy_name(state).is_ok_and(|name| name == "last")).await?;
    let counter = double.state().counter(Rpc::WatchPort);
    assert_eq!((counter.ends, counter.errors[&Code::Unavailable]), (10, 10));
    Ok(())
}

#[tokio::test]
async fn a_restart_of_the_control_plane_is_survived_with_the_policy_kept() -> Result<()> {
    let (fake, double) = start(|_| Reply::one(server("before"))).await?;
    double.until(DEADLINE, policy_name).await?;
    let address = fake.address;
    drop(fake);
    let failing = |state: &State| state.counter(Rpc::WatchPort).error_count() > 0;
    double.reaches(DEADLINE, failing).await?;
    assert_eq!(policy_name(&double.state())?, "before");
    let port = Box::new(|_: usize, _: &_| Reply::one(server("after")));
    let _again = Fake::start_at(Scripts { port, ..Scripts::default() }, address).await?;
    double.reaches(DEADLINE, |state| policy_name(state).is_ok_and(|name| name == "after")).await?;
    assert_eq!(double.connections().opened().1, 2);
    Ok(())
}

#[tokio::test]
async fn a_policy_that_would_fail_requests_is_a_problem() -> Result<()> {
    let (_fake, double) = start(|_| {
        let bad = Server { protocol: None, authorizations: vec![Authz::default()], ..server("bad") };
        Reply::one(bad)
    })
    .await?;
    let problems = double.until(DEADLINE, |state| {
        ensure!(state.problem_count == 2, "{:?}", state.problems);
        Ok(state.problems.clone())
    });
    let problems = problems.await?;
    assert_eq!(problems[0], "a policy of port 4191 without protocol");
    assert_eq!(problems[1], "an authorization of port 4191 without network or authentication");
    Ok(())
}

#[tokio::test]
async fn an_unused_port_is_forgotten_after_some_time() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let port = Box::new(|_: usize, _: &_| Reply::one(server("default")));
    let fake = Fake::start(Scripts { port, ..Scripts::default() }).await?;
    let mut config = config(&fake, &authority);
    config.timing.inbound_idle = Duration::from_millis(50);
    let double = ProxyDouble::start(config)?;
    let connection = double.accept(8080);
    double.reaches(DEADLINE, |state| state.inbound.contains_key(&8080)).await?;
    drop(connection);
    double.reaches(DEADLINE, |state| !state.inbound.contains_key(&8080)).await?;
    assert!(double.state().inbound.contains_key(&4191), "watched from the start, for ever");
    Ok(())
}
