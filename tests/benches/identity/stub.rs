//! An API server that knows tokens, and answers at once or after a fixed time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::pods::Pod;

type Usernames = Arc<Mutex<HashMap<String, String>>>;

pub struct Stub {
    usernames: Usernames,
    folder: TempDir,
}

impl Stub {
    /// Answers reviews of tokens after `delay`, and allows everything.
    pub async fn start(delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stub = Self { usernames: Usernames::default(), folder: tempfile::tempdir()? };
        std::fs::write(stub.kubeconfig(), kubeconfig(listener.local_addr()?).to_string())?;
        let usernames = stub.usernames.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let usernames = usernames.clone();
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, usernames.clone(), delay));
                    // Clients that go away are none of the stub's business.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(stub)
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Makes the tokens of these pods good.
    pub fn knows(&self, pods: &[Pod]) {
        let mut usernames = self.usernames.lock().expect("nobody panics while holding it");
        usernames.extend(pods.iter().map(|pod| (pod.token.clone(), pod.account().username())));
    }
}

fn kubeconfig(address: SocketAddr) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "stub",
        "clusters": [{ "name": "stub", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "stub", "user": {} }],
        "contexts": [{ "name": "stub", "context": { "cluster": "stub", "user": "stub" } }],
    })
}

async fn answer(request: Request<Incoming>, usernames: Usernames, delay: Duration) -> Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let body: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes()).unwrap_or_default();
    let answer = if path.ends_with("/tokenreviews") {
        tokio::time::sleep(delay).await;
        let token = body["spec"]["token"].as_str().context("a review without a token")?;
        review(usernames.lock().expect("nobody panics while holding it").get(token))
    } else if path.ends_with("/selfsubjectaccessreviews") {
        json!({ "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {},
                "status": { "allowed": true } })
    } else {
        // An event: as it came.
        body
    };
    let response = Response::builder().status(201).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(answer.to_string())))?)
}

/// As long as the answer of an API server.
fn review(username: Option<&String>) -> Value {
    let status = match username {
        Some(username) => json!({
            "authenticated": true, "audiences": ["identity.l5d.io"],
            "user": { "username": username, "uid": "6a5d0a3c-6f0e-4f0e-8f0a-2d5f8a1f3a11",
                      "groups": ["system:serviceaccounts", "system:serviceaccounts:bench", "system:authenticated"],
                      "extra": { "authentication.kubernetes.io/credential-id": ["JTI=8a1f3a11"] } },
        }),
        None => json!({ "user": {}, "error": "invalid bearer token" }),
    };
    json!({
        "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": { "creationTimestamp": null }, "spec": { "audiences": ["identity.l5d.io"] }, "status": status,
    })
}
