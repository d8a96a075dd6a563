//! The proxy double, judged by the contract of the real proxy: against a control plane from a script.

mod answers;
mod certificates;
mod discovery;
mod fake;
mod limits;
mod policies;
mod program;

use std::sync::Arc;
use std::time::Duration;

use linkerd_proto::identity::{CertifyRequest, CertifyResponse};
use linkerd2_proxy_double::config::{Config, Identity, Key, Peer, Peers, Token};
use tonic::Status;

use answers::Authority;
use fake::Fake;

/// Longest time for anything, on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

const NAME: &str = "web.ns.serviceaccount.identity.linkerd.cluster.local";

/// A double of pod `web` whose control plane is one fake, with short pauses.
fn config(fake: &Fake, authority: &Authority) -> Config {
    let peer = Peer::plain(fake.address);
    let peers = Peers { identity: peer.clone(), destination: peer.clone(), policy: peer };
    let token = Token::Bytes(b"token\n".to_vec());
    let (local_name, key) = (NAME.to_owned(), Key::Generated);
    let identity = Identity { local_name, token, key, trust_anchors: authority.anchors() };
    let mut config = Config::of_pod("ns", "web", peers, identity);
    config.timing.min_refresh = Duration::from_millis(30);
    config.timing.min_backoff = Duration::from_millis(10);
    config.timing.max_backoff_on_loopback = Duration::from_millis(100);
    config.timing.get_pause = Duration::from_millis(10);
    config.timing.connect_on_loopback = Duration::from_secs(5);
    config
}

type Certify = Box<dyn Fn(usize, &CertifyRequest) -> Result<CertifyResponse, Status> + Send + Sync>;

/// Certifies everybody for a day.
fn certifies(authority: &Arc<Authority>) -> Certify {
    let authority = Arc::clone(authority);
    Box::new(move |_, request| authority.certify(request, Duration::from_secs(24 * 3600)))
}
