//! Tar archives (POSIX ustar) whose bytes depend on nothing but their contents: no times, no owners.

/// The unit of tar: headers and contents are whole blocks.
const BLOCK: usize = 512;
/// The longest path that the name field of a header holds.
pub(super) const LONGEST_PATH: usize = 100;

/// An archive that grows in memory.
#[derive(Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// Adds a folder; `path` is relative, without a slash at its end.
    pub(super) fn folder(&mut self, path: &str) {
        self.header(&format!("{path}/"), 0o755, 0, b'5');
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.header(path, mode, content.len(), b'0');
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, path: &str, mode: u32, size: usize, kind: u8) {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, &path.as_bytes()[..path.len().min(LONGEST_PATH)]);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{size:011o}").as_bytes());
        put(136, b"00000000000");
        // The checksum is over the header with blanks in its own place.
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_what_was_written() {
        let mut tar = Tar::default();
        tar.folder("etc");
        tar.file("etc/a", 0o644, b"seven..");
        tar.file("b", 0o755, &[7; 513]);
        let bytes = tar.finish();
        assert_eq!(bytes.len() % BLOCK, 0);
        let mut list =
            Command::new("tar").args(["--list", "--verbose"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        list.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listed = list.wait_with_output().unwrap();
        assert!(listed.status.success());
        let lines: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
        let check = |line: &String, mode: &str, size: &str, path: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!((words.first(), words.get(2), words.last()), (Some(&mode), Some(&size), Some(&path)), "{line}");
        };
        check(&lines[0], "drwxr-xr-x", "0", "etc/");
        check(&lines[1], "-rw-r--r--", "7", "etc/a");
        check(&lines[2], "-rwxr-xr-x", "513", "b");
    }
}
