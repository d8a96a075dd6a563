//! Limits of streams, and clients that do not read.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use linkerd2_proxy_double::ProxyDouble;
use linkerd2_proxy_double::config::{Config, Limits};
use linkerd2_proxy_double::state::{Rpc, State};
use tonic::Code;

use crate::answers::{Authority, server};
use crate::fake::{Fake, Reply, Scripts, asked};
use crate::{DEADLINE, config};

async fn start(scripts: Scripts, configure: impl FnOnce(&mut Config)) -> Result<(Fake, ProxyDouble)> {
    let authority = Authority::make()?;
    let fake = Fake::start(scripts).await?;
    let mut config = config(&fake, &authority);
    config.limits_on_loopback = true;
    configure(&mut config);
    let double = ProxyDouble::start(config)?;
    Ok((fake, double))
}

fn answering() -> Scripts {
    Scripts { port: Box::new(|nth, _| Reply::one(server(&nth.to_string()))), ..Scripts::default() }
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_stream_without_first_message_in_time_is_asked_for_again() -> Result<()> {
    let port = Box::new(|nth: usize, _: &_| if nth < 3 { Reply::silent() } else { Reply::one(server("late")) });
    let limits = Limits { initial: Some(SHORT), idle: Some(LONG), lifetime: Some(LONG) };
    let (_fake, double) = start(Scripts { port, ..Scripts::default() }, |config| config.limits = limits).await?;
    let counter = double.until(DEADLINE, |state| {
        let counter = state.counter(Rpc::WatchPort);
        ensure!(counter.messages == 1, "{counter:?}");
        Ok(counter)
    });
    let counter = counter.await?;
    assert_eq!((counter.requests, counter.errors[&Code::DeadlineExceeded], counter.renewals), (3, 2, 0));
    Ok(())
}

#[tokio::test]
async fn an_idle_stream_is_renewed_with_its_state_kept() -> Result<()> {
    let limits = Limits { initial: Some(SHORT), idle: Some(SHORT), lifetime: Some(LONG) };
    let (_fake, double) = start(answering(), |config| config.limits = limits).await?;
    renewed(&double).await
}

#[tokio::test]
async fn a_stream_is_renewed_at_the_end_of_its_life() -> Result<()> {
    let limits = Limits { initial: Some(LONG), idle: Some(LONG), lifetime: Some(SHORT) };
    let (_fake, double) = start(answering(), |config| config.limits = limits).await?;
    renewed(&double).await
}

async fn renewed(double: &ProxyDouble) -> Result<()> {
    let counter = double.until(DEADLINE, |state| {
        let counter = state.counter(Rpc::WatchPort);
        ensure!(counter.renewals >= 3, "{counter:?}");
        Ok(counter)
    });
    assert_eq!(counter.await?.error_count(), 0);
    assert!(double.state().inbound[&4191].policy.is_some());
    Ok(())
}

#[tokio::test]
async fn there_are_no_limits_on_loopback_unless_asked_for() -> Result<()> {
    let limits = Limits { initial: Some(SHORT), idle: Some(SHORT), lifetime: Some(SHORT) };
    let authority = Arc::new(Authority::make()?);
    let own = Arc::clone(&authority);
    let certify = Box::new(move |_: usize, request: &_| own.certify(request, 2 * SHORT));
    let fake = Fake::start(Scripts { certify, ..answering() }).await?;
    let mut config = config(&fake, &authority);
    config.limits = limits;
    let double = ProxyDouble::start(config)?;
    // Renewals of the certificate show that the limits would have passed.
    asked(&fake, |asked| asked.certify.len() > 4).await?;
    let counter = double.state().counter(Rpc::WatchPort);
    assert_eq!((counter.requests, counter.renewals), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_frozen_double_reads_nothing_until_it_thaws() -> Result<()> {
    let (fake, double) = start(answering(), |config| config.limits = Limits::NONE).await?;
    double.reaches(DEADLINE, |state| state.has_policy(4191)).await?;
    double.freeze(true);
    let _connection = double.accept(8080);
    let is_watched = |state: &State| state.inbound.contains_key(&8080);
    double.reaches(DEADLINE, is_watched).await?;
    assert!(fake.asked().port.iter().all(|request| request.port != 8080));
    double.freeze(false);
    let is_answered = |state: &State| state.has_policy(8080);
    double.reaches(DEADLINE, is_answered).await
}
