//! Issuer credentials and trust anchors in the cluster itself.
//!
//! A kubelet brings a changed Secret or ConfigMap to its mounted files within a minute or two; a watch brings
//! it at once, and both halves of a key pair together. What was seen here counts more than the files. While
//! the API server cannot be reached nothing is seen, but then no token is reviewed either.

use crate::issuer_files::{Content, Part, Scheme, TRUST_ANCHORS};
use futures::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        watcher::{self, Config, Event, watcher},
    },
};
use linkerd_controller::tasks::Tasks;
use std::convert::Infallible;
use tokio::sync::watch;

/// Longest life of one watch request, in seconds: a connection that died silently is noticed this long after
/// it did.
const WATCH_SECONDS: u32 = 120;

/// The objects that are watched; `None` relies on the mounted files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerObjects {
    /// Name of the issuer's Secret.
    pub secret: Option<String>,
    /// Name of the ConfigMap of the trust anchors.
    pub config_map: Option<String>,
}

/// What was seen last of the objects. What was never seen is absent; an object that is deleted leaves what it
/// was.
#[derive(Clone, Default)]
pub struct Seen {
    issuer: Option<(Part, Part)>,
    trust_anchors: Option<Part>,
}

impl Seen {
    /// Puts what was seen in the place of what files hold.
    pub fn over(&self, mut files: Content) -> Content {
        if let Some((certificates, key)) = self.issuer.clone() {
            (files.certificates, files.key) = (certificates, key);
        }
        if let Some(trust_anchors) = self.trust_anchors.clone() {
            files.trust_anchors = trust_anchors;
        }
        files
    }

    pub(crate) fn see_secret(&mut self, secret: &Secret, scheme: Scheme) {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        let part = |key: &str| {
            let found = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
            found.ok_or_else(|| format!("Secret {name}: it has no key {key}"))
        };
        let (certificates, key) = scheme.names();
        self.issuer = Some((part(certificates), part(key)));
    }

    fn see_config_map(&mut self, config_map: &ConfigMap) {
        let name = config_map.metadata.name.as_deref().unwrap_or_default();
        let found = config_map.data.as_ref().and_then(|data| data.get(TRUST_ANCHORS));
        let found = found.map(|text| text.clone().into_bytes());
        self.trust_anchors = Some(found.ok_or_else(|| format!("ConfigMap {name}: it has no key {TRUST_ANCHORS}")));
    }
}

impl IssuerObjects {
    /// Watches the objects of a namespace.
    pub fn watch(self, client: &Client, namespace: &str, scheme: Scheme, tasks: &Tasks) -> watch::Receiver<Seen> {
        let (sender, seen) = watch::channel(Seen::default());
        if let Some(name) = self.secret {
            let (sender, events) =
                (sender.clone(), watched(Api::<Secret>::namespaced(client.clone(), namespace), &name));
            let see = move |secret: Secret| sender.send_modify(|seen| seen.see_secret(&secret, scheme));
            tasks.spawn("watch of the issuer's Secret", follow(format!("Secret {namespace}/{name}"), events, see));
        }
        if let Some(name) = self.config_map {
            let (sender, events) = (sender, watched(Api::<ConfigMap>::namespaced(client.clone(), namespace), &name));
            let see = move |config_map: ConfigMap| sender.send_modify(|seen| seen.see_config_map(&config_map));
            let task = follow(format!("ConfigMap {namespace}/{name}"), events, see);
            tasks.spawn("watch of the trust anchors' ConfigMap", task);
        }
        seen
    }
}

/// The events of one object, tried again after errors for ever.
fn watched<K>(api: Api<K>, name: &str) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    watcher(api, config).default_backoff()
}

async fn follow<K>(
    object: String,
    events: impl Stream<Item = watcher::Result<Event<K>>>,
    see: impl Fn(K),
) -> Result<(), Infallible> {
    pin_mut!(events);
    let mut last_error = String::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(found) | Event::InitApply(found)) => {
                see(found);
                last_error.clear();
            }
            Ok(Event::Delete(_) | Event::Init | Event::InitDone) => {}
            Err(error) => {
                let error = error.to_string();
                if error != last_error {
                    tracing::warn!(object, error, "cannot be watched; changes come with the mounted files, later");
                    last_error = error;
                }
            }
        }
    }
    // A watch that is tried again for ever does not end.
    std::future::pending().await
}

#[cfg(test)]
mod tests;
