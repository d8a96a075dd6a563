//! Getting certificates, and renewing them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use linkerd_proto::identity::CertifyRequest;
use linkerd_proto::identity::identity_client::IdentityClient;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::certificate::KeyAndRequest;
use crate::config::{Timing, Token};
use crate::connection::{Connection, Connector};
use crate::double::Shared;
use crate::state::{Certificate, Rpc};

/// Part of the remaining validity after which a certificate is renewed.
const RENEW_AT: f64 = 0.7;

/// Keeps the double certified.
pub async fn keep_certified(shared: Arc<Shared>, connector: Connector, key: KeyAndRequest) {
    loop {
        let started = Instant::now();
        shared.recorder.count(Rpc::Certify, |counter| counter.requests += 1);
        if let Err(failure) = certify(&shared, &connector, &key).await {
            tracing::warn!(error = format!("{failure:#}"), "not certified; it is tried again");
            let code = failure.downcast_ref::<Status>().map_or(Code::Internal, Status::code);
            shared.recorder.count(Rpc::Certify, |counter| *counter.errors.entry(code).or_default() += 1);
            if code == Code::Internal {
                shared.recorder.problems(vec![format!("certificate: {failure:#}")]);
            }
        } else {
            tracing::info!(identity = shared.config.local_name, "certified");
            let elapsed = started.elapsed();
            shared.recorder.count(Rpc::Certify, |counter| {
                counter.messages += 1;
                counter.slowest = counter.slowest.max(elapsed);
            });
        }
        let until = shared.recorder.subscribe().borrow().certificate.as_ref().map(|certificate| certificate.until);
        sleep(next(until, SystemTime::now(), &shared.config.timing)).await;
    }
}

/// One request, on a connection of its own, without time limit.
async fn certify(shared: &Shared, connector: &Connector, key: &KeyAndRequest) -> Result<()> {
    let config = &shared.config;
    let token = match &config.token {
        Token::Bytes(bytes) => bytes.clone(),
        Token::File(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
    };
    let request =
        CertifyRequest { identity: config.local_name.clone(), token, certificate_signing_request: key.request() };
    let connection = Connection::new(connector.clone())?;
    let mut client = IdentityClient::with_origin(connection.ready().await?, connection.origin());
    let answer = client.certify(request).await?.into_inner();
    let accepted = key.accept(&answer, &config.local_name, &config.trust_anchors, SystemTime::now())?;
    shared.current.set(accepted.certified);
    let certificate = Certificate { until: accepted.until, leaf: answer.leaf_certificate };
    shared.recorder.change(|state| state.certificate = Some(certificate));
    Ok(())
}

/// Time to the next request.
fn next(until: Option<SystemTime>, now: SystemTime, timing: &Timing) -> Duration {
    let left = until.map(|until| until.duration_since(now).unwrap_or_default());
    left.map_or(timing.min_refresh, |left| left.mul_f64(RENEW_AT).clamp(timing.min_refresh, timing.max_refresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_at_seven_tenths_but_neither_too_soon_nor_too_late() {
        let (now, timing) = (SystemTime::now(), Timing::default());
        let next = |seconds: u64| super::next(Some(now + Duration::from_secs(seconds)), now, &timing).as_secs();
        assert_eq!([next(100), next(5), next(90 * 24 * 3600)], [70, 10, 24 * 3600]);
        assert_eq!(super::next(None, now, &timing).as_secs(), 10);
        assert_eq!(super::next(Some(now - Duration::from_secs(1)), now, &timing).as_secs(), 10, "it has ended");
    }
}
