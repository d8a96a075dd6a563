//! The bot that votes.

use crate::emoji;
use anyhow::Context as _;
use http_body_util::Empty;
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use rand::seq::IndexedRandom as _;
use std::time::Duration;
use tokio::{net::TcpStream, time::MissedTickBehavior};

/// Share of the votes that go to the emoji whose vote fails.
const BROKEN_SHARE: f64 = 0.15;

/// Votes for ever. A vote that fails is logged; the next one comes all the same.
///
/// # Errors
/// When the rate is 0.
pub async fn run(web: &str, rate: u32) -> anyhow::Result<()> {
    let period = Duration::from_secs(1).checked_div(rate).context("the rate must be at least 1 vote per second")?;
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let choice = choice();
        match vote(web, choice).await {
            Ok(status) if status.is_success() => tracing::info!(choice, "voted"),
            Ok(status) => tracing::warn!(choice, %status, "the vote failed"),
            Err(error) => tracing::warn!(choice, %error, "the vote could not be sent"),
        }
    }
}

fn choice() -> &'static str {
    if rand::random_bool(BROKEN_SHARE) {
        return crate::voting::BROKEN;
    }
    emoji::ALL.choose(&mut rand::rng()).map_or(":joy:", |(_, shortcode)| shortcode)
}

async fn vote(web: &str, choice: &str) -> anyhow::Result<http::StatusCode> {
    let stream = TcpStream::connect(web).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(format!("/api/vote?choice={choice}")).header("host", web).body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
