//! A directory as an archive.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar::{Builder, EntryType, Header};

use super::{Host, Kind, Look, OpenFile};
use crate::model::Compression;

/// Writes the directory `dir` as an archive to `out`, in order of name. Links are kept as links,
/// files of other kinds are left out. A file that grows meanwhile is cut at the size that it had;
/// one that shrinks is filled up with zeros. Answers what is to be told of such files.
///
/// # Errors
/// Something cannot be read, or `out` fails. If there is no such directory, nothing is written.
pub(in crate::buildslave) fn write(
    host: &dyn Host,
    dir: &Path,
    compress: Compression,
    out: impl Write,
) -> io::Result<Vec<String>> {
    if !host.look(dir)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(match compress {
        Compression::None => {
            let mut archive = Archive::new(host, out);
            archive.tree(dir)?;
            archive.finish()?.0
        }
        Compression::Gz => {
            let out = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            let mut archive = Archive::new(host, out);
            archive.tree(dir)?;
            let (notes, out) = archive.finish()?;
            out.finish()?.flush()?;
            notes
        }
        Compression::Bz2 => {
            let out = bzip2::write::BzEncoder::new(out, bzip2::Compression::default());
            let mut archive = Archive::new(host, out);
            archive.tree(dir)?;
            let (notes, out) = archive.finish()?;
            out.finish()?.flush()?;
            notes
        }
    })
}

struct Archive<'h, W: Write> {
    host: &'h dyn Host,
    builder: Builder<W>,
    notes: Vec<String>,
}

impl<'h, W: Write> Archive<'h, W> {
    fn new(host: &'h dyn Host, out: W) -> Self {
        Self {
            host,
            builder: Builder::new(out),
            notes: Vec::new(),
        }
    }

    fn tree(&mut self, dir: &Path) -> io::Result<()> {
        // The root first, so that an empty directory arrives too.
        self.dir(dir, Path::new("./"))?;
        let mut waiting = vec![PathBuf::new()];
        while let Some(inside) = waiting.pop() {
            let mut entries = self.host.list(&dir.join(&inside))?;
            entries.sort();
            let mut dirs = Vec::new();
            for entry in entries {
                let name = inside.join(&entry.name);
                let path = dir.join(&name);
                match self.host.kind(&path)? {
                    Kind::Dir => {
                        self.dir(&path, &name)?;
                        dirs.push(name);
                    }
                    Kind::File => self.file(&path, &name)?,
                    Kind::Other => self.other(&path, &name)?,
                }
            }
            waiting.extend(dirs.into_iter().rev());
        }
        Ok(())
    }

    fn dir(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let mut header = header(EntryType::Directory, &self.host.look(path)?);
        self.builder.append_data(&mut header, name, io::empty())
    }

    fn file(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let file = self.host.open(path)?;
        let look = file.look()?;
        let mut header = header(EntryType::Regular, &look);
        header.set_size(look.size);
        let mut content = Exactly {
            file,
            offset: 0,
            size: look.size,
            is_short: false,
        };
        self.builder.append_data(&mut header, name, &mut content)?;
        if content.is_short {
            let note = format!("{} became shorter while it was sent", path.display());
            self.note(note);
        }
        Ok(())
    }

    fn other(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let Ok(target) = self.host.link_target(path) else {
            self.note(format!("{} was left out: it is not a file", path.display()));
            return Ok(());
        };
        let look = Look {
            mode: 0o777,
            ..Look::default()
        };
        let mut header = header(EntryType::Symlink, &look);
        self.builder.append_link(&mut header, name, target)
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }

    fn finish(self) -> io::Result<(Vec<String>, W)> {
        let mut out = self.builder.into_inner()?;
        out.flush()?;
        Ok((self.notes, out))
    }
}

fn header(kind: EntryType, look: &Look) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(look.mode & 0o7777);
    header.set_uid(look.user.into());
    header.set_gid(look.group.into());
    header.set_mtime(u64::try_from(look.modified.0).unwrap_or(0));
    header.set_size(0);
    header
}

/// A file with the size that its header tells, whatever it becomes.
struct Exactly {
    file: Arc<dyn OpenFile>,
    offset: u64,
    size: u64,
    is_short: bool,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let room = buffer.get_mut(..most).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let piece = match self.is_short {
            true => Vec::new(),
            false => self.file.read_at(most, self.offset)?,
        };
        let read = if piece.is_empty() {
            self.is_short = true;
            room.fill(0);
            room.len()
        } else {
            for (to, from) in room.iter_mut().zip(&piece) {
                *to = *from;
            }
            piece.len().min(most)
        };
        self.offset += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

/// Most files of which something is told.
const MOST_NOTES: usize = 100;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::buildslave::host::LocalHost;
    use crate::buildslave::host::scripted::ScriptedHost;

    /// The entries of an archive: name, kind, content or target.
    fn entries(bytes: &[u8]) -> Vec<(String, EntryType, String)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let mut entry = entry.unwrap();
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                let kind = entry.header().entry_type();
                let mut content = String::new();
                entry.read_to_string(&mut content).unwrap();
                if let Some(target) = entry.link_name().unwrap() {
                    content = target.display().to_string();
                }
                (name, kind, content)
            })
            .collect()
    }

    #[test]
    fn a_tree_is_written_in_order_with_its_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("b/empty")).unwrap();
        fs::write(at("b/é x"), "1").unwrap();
        fs::write(at("a"), "2").unwrap();
        symlink("../a", at("b/link")).unwrap();
        let long = "n".repeat(150);
        fs::write(at(&long), "3").unwrap();
        let listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let mut out = Vec::new();
        let notes = write(&LocalHost, dir.path(), Compression::None, &mut out).unwrap();
        drop(listener);
        let found = entries(&out);
        let found: Vec<_> = found
            .iter()
            .map(|(name, kind, content)| (name.as_str(), *kind, content.as_str()))
            .collect();
        let (dir, file) = (EntryType::Directory, EntryType::Regular);
        assert_eq!(
            found,
            [
                ("./", dir, ""),
                ("a", file, "2"),
                ("b", dir, ""),
                (long.as_str(), file, "3"),
                ("b/empty", dir, ""),
                ("b/link", EntryType::Symlink, "../a"),
                ("b/é x", file, "1"),
            ]
        );
        assert!(matches!(&notes[..], [note] if note.contains("socket was left out")));
    }

    #[test]
    fn a_file_has_the_size_of_its_header_whatever_it_becomes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "0123456789").unwrap();
        let host: &dyn Host = &LocalHost;
        for (size, expect, is_short) in [(4, "0123", false), (12, "0123456789\0\0", true)] {
            let mut content = Exactly {
                file: host.open(&path).unwrap(),
                offset: 0,
                size,
                is_short: false,
            };
            let mut read = String::new();
            content.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), content.is_short), (expect, is_short));
        }
    }

    #[test]
    fn compressed_archives_come_out_as_they_went_in() {
        let host = ScriptedHost::default().with_file("/t/f", "content");
        let plain = |compress| {
            let mut out = Vec::new();
            write(&host, Path::new("/t"), compress, &mut out).unwrap();
            let mut plain = Vec::new();
            match compress {
                Compression::None => plain = out,
                Compression::Gz => {
                    let mut gz = flate2::read::GzDecoder::new(&out[..]);
                    gz.read_to_end(&mut plain).unwrap();
                }
                Compression::Bz2 => {
                    let mut bz2 = bzip2::read::BzDecoder::new(&out[..]);
                    bz2.read_to_end(&mut plain).unwrap();
                }
            }
            entries(&plain)
        };
        assert_eq!(plain(Compression::None)[1].2, "content");
        assert_eq!(plain(Compression::Gz), plain(Compression::None));
        assert_eq!(plain(Compression::Bz2), plain(Compression::None));
    }

    #[test]
    fn a_directory_that_does_not_exist_gives_nothing() {
        let host = ScriptedHost::default();
        let mut out = Vec::new();
        let error = write(&host, Path::new("/no"), Compression::None, &mut out);
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
