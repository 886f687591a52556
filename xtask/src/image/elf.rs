//! Whether a program needs an interpreter, read from its ELF header.

/// The kind of the program header that names an interpreter (`PT_INTERP`).
const INTERPRETER: u32 = 3;

/// Whether a 64-bit little-endian ELF file asks for a dynamic linker; none for any other file.
#[must_use]
pub fn interpreter(bytes: &[u8]) -> Option<bool> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let start = usize::try_from(u64::from_le_bytes(array(bytes, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(array(bytes, 54)?));
    let count = usize::from(u16::from_le_bytes(array(bytes, 56)?));
    let mut found = false;
    for index in 0..count {
        let at = start.checked_add(index.checked_mul(size)?)?;
        found |= u32::from_le_bytes(array(bytes, at)?) == INTERPRETER;
    }
    Some(found)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_seen() {
        let elf = |kinds: &[u32]| {
            let mut bytes = vec![0; 64];
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            bytes[32] = 64;
            bytes[54] = 56;
            bytes[56] = u8::try_from(kinds.len()).unwrap();
            for kind in kinds {
                bytes.extend_from_slice(&kind.to_le_bytes());
                bytes.resize(bytes.len() + 52, 0);
            }
            bytes
        };
        let check = |bytes: &[u8], expected| assert_eq!(interpreter(bytes), expected);
        check(&elf(&[1, 6]), Some(false));
        check(&elf(&[1, 3, 6]), Some(true));
        check(&elf(&[1, 3])[..100], None);
        check(b"#!/bin/sh", None);
        check(&std::fs::read("/bin/sh").unwrap(), Some(true));
    }
}
