use super::{bundle::Bundle, *};
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

/// Secret and configuration in an API server, with the checks that real ones make of versions.
#[derive(Clone)]
struct Fake(Arc<Mutex<Objects>>);

struct Objects {
    secret: Option<Value>,
    configuration: Value,
    version: u64,
    /// Somebody else writes the Secret between the next read and the write.
    rival: Option<Bundle>,
}

impl Fake {
    fn new() -> Self {
        let configuration = json!({"metadata": {"name": "hook-webhook-config", "resourceVersion": "1"},
                                   "webhooks": [{"clientConfig": {}}, {"clientConfig": {}}]});
        Self(Arc::new(Mutex::new(Objects { secret: None, configuration, version: 1, rival: None })))
    }

    fn manager(&self) -> Manager {
        let fake = self.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let fake = fake.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = serde_json::from_slice(&body.collect_bytes().await?).unwrap_or_default();
                let (code, answer) = fake.0.lock().answer(head.method.as_str(), head.uri.path(), body);
                let response = http::Response::builder().status(code);
                let response = response.body(kube::client::Body::from(answer.to_string().into_bytes()))?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response)
            }
        });
        let kind = WebhookKind::Mutating;
        let webhook = ManagedWebhook { namespace: "linkerd".to_owned(), service: "hook".to_owned(), kind };
        Manager::new(Client::new(service, "default"), webhook, CurrentCertificate::default())
    }

    fn bundle(&self) -> Bundle {
        let secret: Secret = serde_json::from_value(self.0.lock().secret.clone().unwrap()).unwrap();
        Bundle::read(&secret).unwrap()
    }

    fn ca_bundles(&self) -> Vec<Value> {
        let objects = self.0.lock();
        let webhooks = objects.configuration["webhooks"].as_array().unwrap();
        webhooks.iter().map(|webhook| webhook["clientConfig"]["caBundle"].clone()).collect()
    }
}

fn status(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}))
}

impl Objects {
    fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        match (method, path.contains("/secrets")) {
            ("GET", true) => {
                let answer = self.secret.clone().map_or_else(|| status(404, "NotFound"), |secret| (200, secret));
                if let Some(rival) = self.rival.take() {
                    let secret = Secret { data: Some(rival.data()), ..Secret::default() };
                    self.write_secret(serde_json::to_value(secret).unwrap());
                }
                answer
            }
            ("POST", true) if self.secret.is_some() => status(409, "AlreadyExists"),
            ("PUT", true)
                if self.secret.as_ref().map(|secret| &secret["metadata"]["resourceVersion"])
                    != Some(&body["metadata"]["resourceVersion"]) =>
            {
                status(409, "Conflict")
            }
            ("POST" | "PUT", true) => (200, self.write_secret(body)),
            ("PATCH", false) => self.patch(body),
            _ => (200, self.configuration.clone()),
        }
    }

    fn write_secret(&mut self, mut secret: Value) -> Value {
        self.version += 1;
        secret["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.secret = Some(secret.clone());
        secret
    }

    fn patch(&mut self, operations: Value) -> (u16, Value) {
        for operation in operations.as_array().unwrap() {
            let (path, value) = (operation["path"].as_str().unwrap(), operation["value"].clone());
            if operation["op"] == "test" {
                if self.configuration.pointer(path) != Some(&value) {
                    return status(422, "Invalid");
                }
                continue;
            }
            let (parent, field) = path.rsplit_once('/').unwrap();
            self.configuration.pointer_mut(parent).unwrap()[field] = value;
        }
        self.version += 1;
        self.configuration["metadata"]["resourceVersion"] = json!(self.version.to_string());
        (200, self.configuration.clone())
    }
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

const DAY: i64 = 24 * 60 * 60;

fn served(manager: &Manager) -> Vec<u8> {
    manager.served.as_ref().unwrap().certificate.clone()
}

#[tokio::test]
async fn the_first_round_makes_secret_and_configuration_and_serves() {
    let (fake, now) = (Fake::new(), after(0));
    let mut manager = fake.manager();
    manager.round(now).await.unwrap();
    let bundle = fake.bundle();
    assert_eq!(served(&manager), bundle.certificate);
    let authorities = serde_json::to_value(ByteString(bundle.authorities.clone())).unwrap();
    assert_eq!(fake.ca_bundles(), [authorities.clone(), authorities], "of each webhook");
    let version = fake.0.lock().version;
    manager.round(after(10)).await.unwrap();
    assert_eq!(fake.0.lock().version, version, "what is right is left alone");
}

#[tokio::test]
async fn replicas_serve_one_certificate_whoever_wrote_it() {
    let fake = Fake::new();
    let (mut first, mut second) = (fake.manager(), fake.manager());
    // The other replica writes between the first one's read and write.
    let rival = Bundle::issue(&first.server_name(), None, after(0)).unwrap();
    fake.0.lock().rival = Some(rival.clone());
    first.round(after(0)).await.unwrap();
    second.round(after(1)).await.unwrap();
    assert_eq!((served(&first), served(&second)), (rival.certificate.clone(), rival.certificate));
}

#[tokio::test]
async fn a_renewed_certificate_is_served_once_callers_know_its_authority() {
    let fake = Fake::new();
    let (mut first, mut second) = (fake.manager(), fake.manager());
    first.round(after(0)).await.unwrap();
    second.round(after(0)).await.unwrap();
    let old = fake.bundle();
    first.round(after(59 * DAY)).await.unwrap();
    assert!(fake.bundle() == old, "two thirds have not passed");
    let renewal = 62 * DAY;
    first.round(after(renewal)).await.unwrap();
    let new = fake.bundle();
    assert!(new != old && new.trusts(&old));
    assert_eq!(String::from_utf8(new.authorities.clone()).unwrap().matches("BEGIN").count(), 2);
    assert_eq!(served(&first), old.certificate, "API servers may not know the new authority yet");
    second.round(after(renewal + 5)).await.unwrap();
    assert_eq!(served(&second), old.certificate);
    first.round(after(renewal + 10)).await.unwrap();
    second.round(after(renewal + 15)).await.unwrap();
    assert_eq!((served(&first), served(&second)), (new.certificate.clone(), new.certificate.clone()));
    // A replica that starts now serves the new one.
    let mut third = fake.manager();
    third.round(after(renewal + 16)).await.unwrap();
    assert_eq!(served(&third), new.certificate);
}

#[tokio::test]
async fn an_upgrade_that_forgets_the_authorities_changes_no_certificate() {
    let fake = Fake::new();
    let mut manager = fake.manager();
    manager.round(after(0)).await.unwrap();
    let (bundle, before) = (fake.bundle(), fake.ca_bundles());
    fake.0.lock().configuration = json!({"metadata": {"resourceVersion": "77"},
                                         "webhooks": [{"clientConfig": {}}, {"clientConfig": {"caBundle": "eA=="}}]});
    manager.round(after(1)).await.unwrap();
    assert!(fake.bundle() == bundle);
    assert_eq!(fake.ca_bundles(), before);
    assert_eq!(served(&manager), bundle.certificate);
}

#[tokio::test]
async fn a_secret_that_is_deleted_or_damaged_is_replaced_without_a_failed_call() {
    let fake = Fake::new();
    let mut manager = fake.manager();
    manager.round(after(0)).await.unwrap();
    let first = fake.bundle();
    fake.0.lock().secret = None;
    manager.round(after(100)).await.unwrap();
    let second = fake.bundle();
    assert!(second != first && second.trusts(&first));
    assert_eq!(served(&manager), first.certificate);
    manager.round(after(110)).await.unwrap();
    assert_eq!(served(&manager), second.certificate);
    // The key of another certificate: such a Secret can never be served.
    fake.0.lock().secret.as_mut().unwrap()["data"]["tls.key"] =
        serde_json::to_value(ByteString(first.key.clone())).unwrap();
    manager.round(after(200)).await.unwrap();
    manager.round(after(210)).await.unwrap();
    let third = fake.bundle();
    assert!(third != second && third.trusts(&second));
    assert_eq!(served(&manager), third.certificate);
}

#[tokio::test]
async fn a_secret_that_somebody_replaced_is_served_at_once() {
    let fake = Fake::new();
    let mut manager = fake.manager();
    manager.round(after(0)).await.unwrap();
    let other = Bundle::issue(&manager.server_name(), None, after(1)).unwrap();
    let data = serde_json::to_value(other.data()).unwrap();
    fake.0.lock().secret.as_mut().unwrap()["data"] = data;
    manager.round(after(2)).await.unwrap();
    assert_eq!(served(&manager), other.certificate, "callers do not accept the old one any more");
}
