//! The bot that votes.

use crate::{emoji, metrics::Metrics, serve::Stop};
use anyhow::Context as _;
use http::StatusCode;
use http_body_util::Empty;
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;
use rand::seq::IndexedRandom as _;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at, timeout},
};

/// Share of the votes that go to the emoji whose vote fails.
const BROKEN_SHARE: f64 = 0.15;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Votes under way at once, at most.
const AT_ONCE: usize = 256;

/// How often the counts are logged.
const SUMMARY: Duration = Duration::from_secs(10);

/// Votes for ever; a request that fails is logged and counted, and the next one comes all the same.
pub struct Bot {
    web: String,
    period: Duration,
    counts: Counts,
}

/// What became of the requests since the start.
struct Counts {
    sent: Counter,
    failed: Counter,
    failed_on_purpose: Counter,
}

impl Bot {
    /// A bot for the page at `web`, as HOST:PORT.
    ///
    /// # Errors
    /// When the rate is 0.
    pub fn new(web: String, rate: u32, metrics: &Metrics) -> anyhow::Result<Self> {
        let period = Duration::from_secs(1).checked_div(rate).context("the rate must be at least 1 vote per second")?;
        let counts = Counts {
            sent: metrics.counter("vote_bot_requests_sent", "Requests to the website that were sent"),
            failed: metrics
                .counter("vote_bot_requests_failed", "Requests that failed and should not: no answer, or a bad one"),
            failed_on_purpose: metrics.counter(
                "vote_bot_requests_failed_on_purpose",
                "Votes for the doughnut that were answered with status 500",
            ),
        };
        Ok(Self { web, period, counts })
    }

    /// Votes until the process is asked to stop; finishes the votes that are under way.
    ///
    /// A vote does not wait for the one before: a website that is slow is not spared.
    pub async fn run(self, stop: Stop) {
        let bot = Arc::new(self);
        let mut votes = JoinSet::new();
        let mut ticks = interval(bot.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut summaries = interval_at(Instant::now() + SUMMARY, SUMMARY);
        let stopping = stop.stopping();
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => break,
                _ = summaries.tick() => bot.counts.log(),
                Some(_) = votes.join_next() => {}
                _ = ticks.tick(), if votes.len() < AT_ONCE => {
                    let bot = Arc::clone(&bot);
                    votes.spawn(async move { bot.vote().await });
                }
            }
        }
        while votes.join_next().await.is_some() {}
        bot.counts.log();
    }

    /// Looks at the list, as the page does, and votes.
    async fn vote(&self) {
        self.request("/api/list", false).await;
        let choice = choice();
        self.request(&format!("/api/vote?choice={choice}"), choice == crate::voting::BROKEN).await;
    }

    async fn request(&self, path: &str, is_broken: bool) {
        self.counts.sent.inc();
        let answer = timeout(LIMIT, get(&self.web, path)).await;
        match answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {LIMIT:?}"))) {
            Ok(status) if status.is_success() => {}
            Ok(StatusCode::INTERNAL_SERVER_ERROR) if is_broken => {
                self.counts.failed_on_purpose.inc();
            }
            Ok(status) => {
                self.counts.failed.inc();
                tracing::warn!(path, %status, "a request failed");
            }
            Err(error) => {
                self.counts.failed.inc();
                tracing::warn!(path, error = format!("{error:#}"), "a request was not answered");
            }
        }
    }
}

impl Counts {
    fn log(&self) {
        let Self { sent, failed, failed_on_purpose } = self;
        tracing::info!(
            sent = sent.get(),
            failed = failed.get(),
            failed_on_purpose = failed_on_purpose.get(),
            "requests since the start"
        );
    }
}

fn choice() -> &'static str {
    if rand::random_bool(BROKEN_SHARE) {
        return crate::voting::BROKEN;
    }

    emoji::ALL.choose(&mut rand::rng()).map_or(":joy:", |(_, shortcode)| shortcode)
}

/// Sends a request on a connection of its own and reads the whole answer.
async fn get(web: &str, path: &str) -> anyhow::Result<StatusCode> {
    use http_body_util::BodyExt as _;
    let stream = TcpStream::connect(web).await.with_context(|| format!("cannot connect to {web}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", web).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    response.into_body().collect().await.context("the answer breaks off")?;
    Ok(status)
}
