//! The demo application: people, or a bot, vote for emoji.
//!
//! One binary in four roles, which are Deployments of their own: `web` serves the page and asks the two
//! gRPC services, `emoji` knows the emoji, `voting` counts the votes, and `vote-bot` votes. A vote for
//! the doughnut fails on purpose, so that there is something to find.
//!
//! Invariant: stopping loses no request. A role that is asked to stop goes on serving for some time,
//! since clients learn of it later than it does, and then finishes what was asked of it.

mod bot;
mod emoji;
mod metrics;
mod rpc;
mod serve;
mod voting;
mod web;

use clap::{Parser, Subcommand};
use metrics::Metrics;
use serve::Stop;
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Vote for an emoji: the demo application of linkerd-rs")]
struct Args {
    #[command(subcommand)]
    role: Role,
    /// Seconds of serving after SIGTERM, so that clients learn first that this instance goes
    #[arg(long, global = true, env = "STOP_DELAY", default_value_t = 5, value_name = "SECONDS")]
    stop_delay: u64,
}

#[derive(Subcommand)]
enum Role {
    /// Serve the page, and ask the other services
    Web {
        /// Port of the page
        #[arg(long, env = "WEB_PORT", default_value_t = 8080)]
        port: u16,
        /// HOST:PORT of the emoji service
        #[arg(long, env = "EMOJISVC_HOST", default_value = "emoji-svc.emojivoto:8080")]
        emoji: String,
        /// HOST:PORT of the voting service
        #[arg(long, env = "VOTINGSVC_HOST", default_value = "voting-svc.emojivoto:8080")]
        voting: String,
    },
    /// Know the emoji
    Emoji(Grpc),
    /// Count the votes
    Voting(Grpc),
    /// Vote, again and again
    VoteBot {
        /// HOST:PORT of the page
        #[arg(long, env = "WEB_HOST", default_value = "web-svc.emojivoto:80")]
        web: String,
        /// Votes per second
        #[arg(long, env = "REQUEST_RATE", default_value_t = 1)]
        rate: u32,
        /// Port of the counters, at /metrics
        #[arg(long, env = "PROM_PORT", default_value_t = 8801)]
        prom_port: u16,
    },
}

/// Ports of a gRPC service.
#[derive(clap::Args)]
struct Grpc {
    /// Port of the gRPC service
    #[arg(long, env = "GRPC_PORT", default_value_t = 8080)]
    port: u16,
    /// Port of the counters, at /metrics
    #[arg(long, env = "PROM_PORT", default_value_t = 8801)]
    prom_port: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    tracing_subscriber::fmt().with_ansi(is_terminal).with_max_level(tracing::Level::INFO).init();
    let Args { role, stop_delay } = Args::parse();
    let stop = Stop::listen(Duration::from_secs(stop_delay))?;
    let metrics = Metrics::default();
    match role {
        Role::Web { port, emoji, voting } => serve::serve(port, web::router(&emoji, &voting)?, stop).await,
        Role::Emoji(ports) => grpc(ports, emoji::router(&metrics), &metrics, stop).await,
        Role::Voting(ports) => grpc(ports, voting::router(&metrics), &metrics, stop).await,
        Role::VoteBot { web, rate, prom_port } => {
            let bot = bot::Bot::new(web, rate, &metrics)?;
            let counters = serve::serve(prom_port, metrics.router(), stop.clone());
            let (ended, ()) = tokio::join!(counters, bot.run(stop));
            ended
        }
    }
}

async fn grpc(ports: Grpc, router: axum::Router, metrics: &Metrics, stop: Stop) -> anyhow::Result<()> {
    let service = serve::serve(ports.port, router, stop.clone());
    let counters = serve::serve(ports.prom_port, metrics.router(), stop);
    tokio::try_join!(service, counters).map(|_| ())
}
