//! That a control-plane process is started, observed and ended: on the one that needs the least.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use linkerd_tests::port;
use linkerd_tests::process::ProcessBuilder;

const DEADLINE: Duration = Duration::from_secs(20);

fn validator(admin: SocketAddr) -> ProcessBuilder {
    ProcessBuilder::new("linkerd-sp-validator", admin)
        .args(["--addr", "127.0.0.1:0", "--metrics-addr"])
        .arg(admin.to_string())
}

#[tokio::test]
async fn a_process_is_ready_measured_and_ended() -> Result<()> {
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?));
    let tls = tempfile::tempdir()?;
    let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(tls.path().join("tls.crt"), certificate.cert.pem())?;
    std::fs::write(tls.path().join("tls.key"), certificate.signing_key.serialize_pem())?;

    let mut process = validator(admin).arg("--tls-dir").arg(tls.path()).start(DEADLINE).await?;
    assert!(process.rss()? > 1 << 20);
    assert_eq!(process.admin_get("/metrics").await?.status, 200);
    let status = process.terminate(DEADLINE).await?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn an_error_tells_what_a_process_still_waits_for() -> Result<()> {
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?));
    let mut process = validator(admin).args(["--tls-dir", "/nonexistent"]).spawn()?;
    let error = process.ready(Duration::from_secs(1)).await.unwrap_err();
    assert!(format!("{error:#}").contains("/ready: 503"), "{error:#}");
    Ok(())
}
