//! The roles as processes: how they stop, and what the bot counts.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use linkerd_tests::child::{ChildProcess, hermetic};
use linkerd_tests::{eventually, plain_http, port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(20);

struct Role {
    _folder: tempfile::TempDir,
    process: ChildProcess,
}

fn start(role: &str, environment: &[(&str, String)], delay: u64) -> Role {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command: Command = hermetic(env!("CARGO_BIN_EXE_voting"));
    command.arg(role).envs(environment.iter().cloned()).env("STOP_DELAY", delay.to_string());
    let process = ChildProcess::spawn(role, command, &folder.path().join("log")).expect("a process");
    Role { _folder: folder, process }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

async fn serves(port: u16) {
    eventually(DEADLINE, || async { Ok(TcpStream::connect(local(port)).await?) }).await.expect("a server");
}

/// Ports of the services, and where they are.
struct Application {
    web: u16,
    emoji: Role,
    voting: Role,
}

impl Application {
    async fn start() -> (Self, Role) {
        let ports: Vec<u16> = (0..5).map(|_| port::free().expect("a port")).collect();
        let grpc = |grpc: u16, prom: u16| [("GRPC_PORT", grpc.to_string()), ("PROM_PORT", prom.to_string())];
        let emoji = start("emoji", &grpc(ports[1], ports[2]), 0);
        let voting = start("voting", &grpc(ports[3], ports[4]), 0);
        let services = [
            ("WEB_PORT", ports[0].to_string()),
            ("EMOJISVC_HOST", local(ports[1]).to_string()),
            ("VOTINGSVC_HOST", local(ports[3]).to_string()),
        ];
        let web = start("web", &services, 3600);
        for port in &ports {
            serves(*port).await;
        }
        (Self { web: ports[0], emoji, voting }, web)
    }
}

/// The status of an answer whose headers come on a connection that stays open.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0, "closed without answer");
    }
    String::from_utf8_lossy(&answer)[9..12].parse().expect("a status")
}

#[tokio::test]
async fn a_role_that_is_asked_to_stop_still_serves_and_finishes_what_was_asked() {
    let (application, mut web) = Application::start().await;
    let mut begun = TcpStream::connect(local(application.web)).await.unwrap();
    begun.write_all(b"GET /api/list HTTP/1.1\r\n").await.unwrap();
    web.process.signal(rustix::process::Signal::TERM).unwrap();
    eventually(DEADLINE, || async {
        anyhow::ensure!(web.process.log().contains("asked to stop"), "no signal came");
        Ok(())
    })
    .await
    .unwrap();
    begun.write_all(b"host: web\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut begun).await, 200, "a request from before the signal");
    let late = plain_http::get(local(application.web), "/api/vote?choice=:crab:").await.unwrap();
    assert_eq!(late.status, 200, "a client that does not know yet");
    // A second signal ends the wait.
    let ended = web.process.terminate(DEADLINE).await.unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn the_bot_counts_what_fails_on_purpose_apart_from_what_should_not() {
    let (mut application, _web) = Application::start().await;
    let counters = port::free().unwrap();
    let environment = [
        ("WEB_HOST", local(application.web).to_string()),
        ("PROM_PORT", counters.to_string()),
        ("REQUEST_RATE", "200".to_owned()),
    ];
    let mut bot = start("vote-bot", &environment, 3600);
    let count = |name: &'static str| async move {
        let text = plain_http::get(local(counters), "/metrics").await?.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        line.ok_or_else(|| anyhow::anyhow!("no {name} in {text}"))
    };
    let reaches = |name: &'static str, least: u64| {
        eventually(DEADLINE, move || async move {
            let now = count(name).await?;
            anyhow::ensure!(now >= least, "{name} is {now}");
            Ok(now)
        })
    };
    reaches("vote_bot_requests_failed_on_purpose_total", 3).await.unwrap();
    let sent = reaches("vote_bot_requests_sent_total", 20).await.unwrap();
    assert_eq!(count("vote_bot_requests_failed_total").await.unwrap(), 0);

    for service in [&mut application.emoji, &mut application.voting] {
        service.process.kill();
    }
    reaches("vote_bot_requests_failed_total", 5).await.unwrap();
    let purpose = count("vote_bot_requests_failed_on_purpose_total").await.unwrap();
    let sent = reaches("vote_bot_requests_sent_total", sent + 100).await.unwrap();
    assert_eq!(count("vote_bot_requests_failed_on_purpose_total").await.unwrap(), purpose);

    bot.process.signal(rustix::process::Signal::TERM).unwrap();
    let last = eventually(DEADLINE, || async {
        let log = bot.process.log();
        let line = log.lines().find(|line| line.contains("requests since the start")).map(str::to_owned);
        line.ok_or_else(|| anyhow::anyhow!("it has not counted up: {log}"))
    });
    let last = last.await.unwrap();
    assert!(last.contains("failed_on_purpose"), "{last}");
    assert!(count("vote_bot_requests_sent_total").await.unwrap() >= sent, "counters are served until the end");
    assert!(bot.process.terminate(DEADLINE).await.unwrap().success());
}
