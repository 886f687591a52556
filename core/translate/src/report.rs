//! What is found while one object is translated.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef, Severity};

/// The findings of one object.
#[derive(Debug)]
pub(crate) struct Report {
    object: ObjectRef,
    faults: Vec<Fault>,
    closing: Option<Arc<Fault>>,
}

impl Report {
    /// An empty report about an object.
    pub(crate) fn new(kind: &str, name: &ObjectName) -> Self {
        Self { object: ObjectRef::new(kind, name.clone()), faults: Vec::new(), closing: None }
    }

    /// An error for which the whole object is closed; the first one is what its callers are told.
    pub(crate) fn close(&mut self, field: &FieldPath, cause: FaultCause) -> Arc<Fault> {
        let fault = self.error(field, cause);
        self.closing.get_or_insert_with(|| Arc::clone(&fault));
        fault
    }

    /// Closes the whole object for a fault that is reported already, or that nobody need read.
    pub(crate) fn close_for(&mut self, fault: &Arc<Fault>) {
        self.closing.get_or_insert_with(|| Arc::clone(fault));
    }

    /// The value, or `None` after an error that closes the whole object.
    pub(crate) fn need<T>(&mut self, field: &FieldPath, value: Result<T, FaultCause>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(cause) => {
                self.close(field, cause);
                None
            }
        }
    }

    /// An error that closes a part of the object; whoever calls closes it.
    pub(crate) fn error(&mut self, field: &FieldPath, cause: FaultCause) -> Arc<Fault> {
        let fault = Fault::error(self.object.clone(), field.clone(), cause);
        self.faults.push(fault.clone());
        Arc::new(fault)
    }

    /// Something that works and will surprise.
    pub(crate) fn warn(&mut self, field: &FieldPath, cause: FaultCause) {
        self.faults.push(Fault::warning(self.object.clone(), field.clone(), cause));
    }

    /// Something worth knowing.
    pub(crate) fn note(&mut self, field: &FieldPath, cause: FaultCause) {
        self.faults.push(self.unreported(field, cause));
    }

    /// A fault that closes something without being anybody's mistake.
    pub(crate) fn unreported(&self, field: &FieldPath, cause: FaultCause) -> Fault {
        Fault { severity: Severity::Notice, object: Some(self.object.clone()), field: field.clone(), cause }
    }

    /// Why the whole object is closed, if it is.
    pub(crate) const fn closing(&self) -> Option<&Arc<Fault>> {
        self.closing.as_ref()
    }

    /// The findings.
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Hands the findings over.
    pub(crate) fn finish(self, faults: &mut Vec<Fault>) {
        faults.extend(self.faults);
    }
}

/// The faults of an object that its reader could not read, and the one that closes it.
pub(crate) fn closing_fault(kind: &str, name: &ObjectName, faults: &[Fault]) -> Arc<Fault> {
    Arc::new(
        faults
            .iter()
            .find(|fault| fault.severity == Severity::Error)
            .cloned()
            .unwrap_or_else(|| Fault::error(ObjectRef::new(kind, name.clone()), FieldPath::root(), FaultCause::RouteBroken)),
    )
}

/// Sorts by object, field and text, and keeps one of equals.
pub(crate) fn sorted(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_cached_key(|fault| (fault.object.clone(), fault.field.clone(), fault.severity, fault.code(), fault.message()));
    faults.dedup();
    faults
}
