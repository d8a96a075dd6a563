//! The demo application: people, or a bot, vote for emoji.
//!
//! One binary in four roles, which are Deployments of their own: `web` serves the page and asks the two
//! gRPC services, `emoji` knows the emoji, `voting` counts the votes, and `vote-bot` votes. A vote for
//! the doughnut fails on purpose, so that there is something to find.

mod bot;
mod emoji;
mod rpc;
mod voting;
mod web;

use clap::{Parser, Subcommand};
use std::net::{Ipv6Addr, SocketAddr};
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(about = "Vote for an emoji: the demo application of linkerd-rs")]
struct Args {
    #[command(subcommand)]
    role: Role,
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
    Emoji {
        /// Port of the gRPC service
        #[arg(long, env = "GRPC_PORT", default_value_t = 8080)]
        port: u16,
    },
    /// Count the votes
    Voting {
        /// Port of the gRPC service
        #[arg(long, env = "GRPC_PORT", default_value_t = 8080)]
        port: u16,
    },
    /// Vote, again and again
    VoteBot {
        /// HOST:PORT of the page
        #[arg(long, env = "WEB_HOST", default_value = "web-svc.emojivoto:80")]
        web: String,
        /// Votes per second
        #[arg(long, env = "REQUEST_RATE", default_value_t = 1)]
        rate: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    match Args::parse().role {
        Role::Web { port, emoji, voting } => serve(port, web::router(&emoji, &voting)?).await,
        Role::Emoji { port } => serve(port, emoji::router()).await,
        Role::Voting { port } => serve(port, voting::router()).await,
        Role::VoteBot { web, rate } => bot::run(&web, rate).await,
    }
}

async fn serve(port: u16, router: axum::Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await?;
    tracing::info!(port, "serving");
    let stop = async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminated.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    };
    let stopped = async {
        if let Err(error) = stop.await {
            tracing::warn!(%error, "cannot wait for signals");
        }
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stopped).await?)
}
