//! The law of deltas, on random pairs of snapshots.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use ir::{
    Certificate, CertificateId, Delta, Endpoint, Listener, ListenerId, ModelId, Part, Protocol, ResourceId, Secret, Service,
    ServiceId, Settings, Snapshot,
};
use proptest::collection::btree_map;
use proptest::prelude::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn name(index: usize) -> ObjectName {
    ObjectName::new("shop", NAMES[index % NAMES.len()])
}

fn settings(docs: u8) -> Settings {
    Settings { docs: format!("https://docs/{docs}").into(), ..Settings::default() }
}

fn service(index: usize, port: u16) -> Arc<Service> {
    let endpoints = vec![Endpoint::Name("backend".into(), port)];
    Arc::new(Service { id: ServiceId { name: name(index), port: 80 }, endpoints, http2: false })
}

fn certificate(index: usize, text: u16) -> Arc<Certificate> {
    Arc::new(Certificate { id: CertificateId(name(index)), chain: "chain".into(), key: Secret::new(format!("{text}")) })
}

fn listener(index: usize, port: u16) -> Listener {
    let id = ListenerId { gateway: name(0), name: NAMES[index % NAMES.len()].into() };
    Listener { id, port, protocol: Protocol::Http, hostname: None, certificates: Part::Ready(Vec::new()) }
}

fn broken(index: usize, field: u16) -> Part<Arc<ir::Model>> {
    let cause = FaultCause::FieldMissing { field: field.to_string().into() };
    Part::Broken(Arc::new(Fault::error(ObjectRef::new("AiModel", name(index)), FieldPath::root(), cause)))
}

prop_compose! {
    fn snapshots()(
        docs in 0_u8..3,
        services in btree_map(0_usize..5, 0_u16..3, 0..5),
        certificates in btree_map(0_usize..5, 0_u16..3, 0..5),
        listeners in btree_map(0_usize..5, 0_u16..3, 0..5),
        models in btree_map(0_usize..5, 0_u16..3, 0..5),
    ) -> Snapshot {
        let services = services.into_iter().map(|(index, port)| service(index, port));
        let certificates = certificates.into_iter().map(|(index, text)| certificate(index, text));
        let listeners = listeners.into_iter().map(|(index, port)| listener(index, port));
        let models = models.into_iter().map(|(index, field)| (ModelId(name(index)), broken(index, field)));
        Snapshot {
            services: services.map(|service| (service.id.clone(), service)).collect(),
            certificates: certificates.map(|certificate| (certificate.id.clone(), certificate)).collect(),
            listeners: listeners.map(|listener| (listener.id.clone(), listener)).collect(),
            models: models.collect(),
            settings: settings(docs),
            ..Snapshot::default()
        }
    }
}

/// What `snapshot` says of `id`.
fn said(snapshot: &Snapshot, id: &ResourceId) -> Option<ir::Resource> {
    snapshot.resources().find(|resource| resource.id() == *id)
}

proptest! {
    #[test]
    fn a_delta_turns_the_old_into_the_new_and_holds_nothing_else(old in snapshots(), new in snapshots()) {
        let delta = Delta::between(&old, &new);
        for resource in &delta.upserts {
            let id = resource.id();
            prop_assert_ne!(said(&old, &id), Some(resource.clone()), "{} did not change", id);
            prop_assert_eq!(said(&new, &id), Some(resource.clone()));
        }
        for id in &delta.removals {
            prop_assert!(said(&old, id).is_some() && said(&new, id).is_none(), "{} is not gone", id);
        }
        prop_assert!(delta.upserts.is_sorted_by_key(ir::Resource::id), "what is used comes first");
        prop_assert!(delta.removals.is_sorted_by(|one, other| one >= other), "what uses goes first");
        let mut applied = old;
        applied.apply(delta);
        prop_assert_eq!(&applied, &new);
        prop_assert!(Delta::between(&applied, &new).is_empty());
    }

    #[test]
    fn a_snapshot_is_its_resources(snapshot in snapshots()) {
        let mut again = Snapshot::default();
        again.apply(Delta { upserts: snapshot.resources().collect(), removals: Vec::new() });
        prop_assert_eq!(again, snapshot);
    }
}
