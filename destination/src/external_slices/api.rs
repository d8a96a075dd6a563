//! Reads and writes slices in the cluster.

use super::{
    model::{Content, Family, Service, Slice},
    object,
};
use crate::core::key::Key;
use kube::{
    Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
    core::{Request, Status, params::GetParams, request},
};
use linkerd_k8s::EndpointSlice;
use serde_json::Value;
use std::{future::Future, time::Duration};

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Name under which the written fields are kept.
const FIELD_MANAGER: &str = "linkerd-destination";

/// Why a slice was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The slice is not as it was taken to be: changed, or gone.
    #[error("EndpointSlice {} has changed meanwhile", .0.key)]
    Changed(Box<Slice>),
    /// The namespace is about to go, or gone.
    #[error("namespace {0} is terminating")]
    Terminating(String),
    /// The API server refused, or could not be reached.
    #[error("cannot {action} EndpointSlice {object}: {source}{}", advice(.source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// The slice, or the Service that it is for.
        object: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("cannot {action} EndpointSlice {object}: the API server did not answer within {DEADLINE:?}")]
    NoAnswer {
        /// What was tried.
        action: &'static str,
        /// The slice, or the Service that it is for.
        object: String,
    },
    /// What was written is otherwise at once.
    #[error(
        "EndpointSlices of Service {0} are otherwise as soon as they are written; look for an admission webhook or a \
         controller that changes them"
    )]
    Unsettled(Key),
    /// The Lease may have been lost.
    #[error("this process may not lead any more")]
    NotLeading,
}

fn advice(error: &kube::Error) -> &'static str {
    match status(error).map(|status| status.code) {
        Some(401 | 403) => {
            "; grant this process create, patch and delete of endpointslices.discovery.k8s.io, and update of \
             services/finalizers, as `linkerd install` does"
        }
        Some(422) => "; correct the Service or its ExternalWorkloads",
        _ => "",
    }
}

fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// Slices in the cluster.
#[derive(Clone)]
pub struct Slices(Client);

impl Slices {
    /// Slices of the cluster that a client is for.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Makes a new slice.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn create(
        &self,
        service: &Service,
        family: Family,
        content: &Content,
    ) -> Result<EndpointSlice, WriteError> {
        let body = object::new(service, family, content).to_string().into_bytes();
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let request = at(&service.key.namespace).create(&params, body);
        let object = || format!("of Service {}", service.key);
        let created = self.answer("create", object, request).await;
        created.map_err(|error| error.of_namespace(&service.key.namespace))
    }

    /// Makes a slice hold something else.
    ///
    /// # Errors
    /// [`WriteError::Changed`] when it is not as it was taken to be; see there for others.
    pub async fn update(&self, slice: &Slice, content: &Content) -> Result<EndpointSlice, WriteError> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(object::change(slice, content));
        let request = at(&slice.key.namespace).patch(&slice.key.name, &params, &patch);
        let updated = self.answer("update", || slice.key.to_string(), request).await;
        updated.map_err(|error| error.of_slice(slice))
    }

    /// Deletes a slice.
    ///
    /// # Errors
    /// [`WriteError::Changed`] when it is not as it was taken to be; see there for others.
    pub async fn delete(&self, slice: &Slice) -> Result<(), WriteError> {
        let preconditions =
            Preconditions { uid: Some(slice.uid.to_string()), resource_version: Some(slice.version.to_string()) };
        let params = DeleteParams::default().preconditions(preconditions);
        let request = at(&slice.key.namespace).delete(&slice.key.name, &params);
        let deleted = self.answer::<Value>("delete", || slice.key.to_string(), request).await;
        deleted.map(drop).map_err(|error| error.of_slice(slice))
    }

    /// A slice as it is, if it is there.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn get(&self, slice: &Slice) -> Result<Option<EndpointSlice>, WriteError> {
        let request = at(&slice.key.namespace).get(&slice.key.name, &GetParams::default());
        match self.answer("read", || slice.key.to_string(), request).await {
            Ok(slice) => Ok(Some(slice)),
            Err(WriteError::Api { source, .. }) if status(&source).is_some_and(|status| status.code == 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn answer<T: serde::de::DeserializeOwned>(
        &self,
        action: &'static str,
        object: impl Fn() -> String,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<T, WriteError> {
        let failed = |source: kube::Error| WriteError::Api { action, object: object(), source: Box::new(source) };
        let request = request.map_err(kube::Error::BuildRequest).map_err(failed)?;
        match timeout(self.0.request::<T>(request)).await {
            Some(answer) => answer.map_err(failed),
            None => Err(WriteError::NoAnswer { action, object: object() }),
        }
    }
}

fn at(namespace: &str) -> Request {
    Request::new(format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"))
}

async fn timeout<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(DEADLINE, answer).await.ok()
}

impl WriteError {
    /// What an error means of a slice that was known.
    fn of_slice(self, slice: &Slice) -> Self {
        match &self {
            Self::Api { source, .. } if status(source).is_some_and(|status| matches!(status.code, 404 | 409)) => {
                Self::Changed(Box::new(slice.clone()))
            }
            _ => self,
        }
    }

    /// What an error means of a creation.
    fn of_namespace(self, namespace: &str) -> Self {
        let Self::Api { source, .. } = &self else { return self };
        let is_going = status(source).is_some_and(|status| {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            status.code == 404 || causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
        });
        if is_going { Self::Terminating(namespace.to_owned()) } else { self }
    }
}
