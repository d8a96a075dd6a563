//! Events of Services.

use super::{OutboundIndex, service::ServiceRecord};
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource, Service};
use std::collections::HashSet;

impl Sink<Service> for OutboundIndex {
    fn apply(&mut self, service: Service) {
        let id = service.id();
        let (record, problems) = ServiceRecord::of(&service, &self.config);
        self.problems.set::<Service>(&id, problems);
        self.put_service(&id, Some(record));
    }

    fn delete(&mut self, id: &ObjectId) {
        self.problems.set::<Service>(id, Vec::new());
        self.put_service(id, None);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        let gone: Vec<ObjectId> = self.services.keys().filter(|id| !live.contains(id)).cloned().collect();
        for id in &gone {
            self.put_service(id, None);
        }
        self.problems.retain::<Service>(live);
        self.synced.listed::<Service>();
    }
}
