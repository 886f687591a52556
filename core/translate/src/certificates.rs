//! The certificates of a listener.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::Gateway;
use gateway_api::apis::standard::gateways as api;
use ir::{Certificate, CertificateId, Part, Secret};
use policy::certificate::certified;

use crate::backends::assumed;
use crate::grants::{Referrer, Target};
use crate::report::Report;
use crate::secrets::{holds_certificates, required_text, secret};
use crate::world::{Found, World, target};

/// What a TLS listener shows.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The certificates, or the fault for which handshakes fail.
    pub(crate) certificates: Part<Vec<CertificateId>>,
    /// What the listener asks for and must not be passed over.
    pub(crate) unserved: Option<Arc<Fault>>,
    /// A certificate that is not as it is asked for: missing, or an earlier version of it is shown.
    pub(crate) unresolved: Option<Arc<Fault>>,
}

/// The certificates that a TLS listener shows, or the fault for which its handshakes fail.
pub(crate) fn of_listener(
    world: &World<'_>,
    (name, gateway): (&ObjectName, &Gateway),
    listener: &api::GatewayListeners,
    (at, report): (&FieldPath, &mut Report),
    certificates: &mut BTreeMap<CertificateId, Arc<Certificate>>,
) -> Shown {
    let at = at.field("tls");
    let unserved = unserved(gateway, listener, &at, report);
    let mut unresolved = None;
    let mut closing = unserved.clone();
    let references = listener.tls.as_ref().and_then(|tls| tls.certificate_refs.as_deref()).unwrap_or_default();
    if references.is_empty() && unserved.is_none() {
        let fault = report.error(&at, FaultCause::FieldMissing { field: "certificateRefs".into() });
        closing = Some(Arc::clone(&fault));
        unresolved = Some(fault);
    }
    let mut ids = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let at = at.field("certificateRefs").index(index);
        let secret = target(&reference.name, reference.namespace.as_ref(), name);
        let fault = match certificate(world, name, reference) {
            Ok(Some(certificate)) => {
                ids.push(certificate.id.clone());
                certificates.entry(certificate.id.clone()).or_insert_with(|| Arc::new(certificate));
                if let Some(newest) = refused(world, &secret) {
                    unresolved.get_or_insert_with(|| Arc::new(newest.clone()));
                }
                continue;
            }
            Ok(None) => Arc::new(report.unreported(&at, assumed("Secret", &secret))),
            Err(cause) => report.error(&at, cause),
        };
        unresolved.get_or_insert_with(|| Arc::clone(&fault));
        closing.get_or_insert(fault);
    }
    Shown { certificates: closing.map_or(Part::Ready(ids), Part::Broken), unserved, unresolved }
}

/// Why the newest version of a Secret is not the one that is shown.
fn refused<'a>(world: &World<'a>, secret: &ObjectName) -> Option<&'a Fault> {
    world.manifests.secrets.get(secret)?.faults().first()
}

/// What a TLS listener may ask for and must not be passed over: a client certificate that nobody
/// checks would admit everybody.
fn unserved(gateway: &Gateway, listener: &api::GatewayListeners, at: &FieldPath, report: &mut Report) -> Option<Arc<Fault>> {
    let mut closing = None;
    let mut refuse = |field: &FieldPath, what: &str| {
        let fault = report.error(field, FaultCause::NotHere { what: what.into() });
        closing.get_or_insert(fault);
    };
    if gateway.spec.tls.as_ref().is_some_and(|tls| tls.frontend.is_some()) {
        refuse(&FieldPath::of("spec.tls.frontend"), "client certificates are not checked here");
    }
    if gateway.spec.tls.as_ref().is_some_and(|tls| tls.backend.is_some()) {
        refuse(&FieldPath::of("spec.tls.backend"), "client certificates are not shown to backends here");
    }
    let tls = listener.tls.as_ref();
    if tls.and_then(|tls| tls.mode.as_ref()) == Some(&api::GatewayListenersTlsMode::Passthrough) {
        refuse(&at.field("mode"), "TLS is not passed through here");
    }
    if tls.and_then(|tls| tls.options.as_ref()).is_some_and(|options| !options.is_empty()) {
        refuse(&at.field("options"), "TLS options are not served here");
    }
    closing
}

/// A certificate and its key, or `None` where its Secret is said to exist elsewhere.
fn certificate(
    world: &World<'_>,
    own: &ObjectName,
    reference: &api::GatewayListenersTlsCertificateRefs,
) -> Result<Option<Certificate>, FaultCause> {
    let kind = reference.kind.as_deref().unwrap_or("Secret");
    if kind != "Secret" || reference.group.as_deref().is_some_and(|group| !group.is_empty()) {
        return Err(FaultCause::NotHere { what: format!("certificates are read from Secrets, not from {kind}").into() });
    }
    let name = target(&reference.name, reference.namespace.as_ref(), own);
    world.grants.check(Referrer::Gateway, own, Target::Secret, &name)?;
    of_secret(world, name)
}

/// The certificate and key that a Secret holds, or `None` where it is said to exist elsewhere.
pub(crate) fn of_secret(world: &World<'_>, name: ObjectName) -> Result<Option<Certificate>, FaultCause> {
    let object = match secret(world, &name)? {
        Found::Here(object) => object,
        Found::Assumed => return Ok(None),
    };
    let invalid =
        |reason: String| FaultCause::CertificateInvalid { target: ObjectRef::new("Secret", name.clone()), reason: reason.into() };
    let chain = required_text(object, &name, "tls.crt")?;
    let key = required_text(object, &name, "tls.key")?;
    holds_certificates(&chain).map_err(|reason| invalid(format!("`tls.crt`: {reason}")))?;
    certified(&chain, &key).map_err(|reason| invalid(reason.into()))?;
    Ok(Some(Certificate { id: CertificateId(name), chain: chain.into(), key: Secret::new(key) }))
}
