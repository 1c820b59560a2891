//! What a model is asked about: the samples in a file, a table or a folder, labelled or not. What a scan takes for a
//! sample is one here too, and all else is named.

use std::path::{Path, PathBuf};

use super::known::{KnownFiles, Memory};
use super::walk::Tree;
use super::{ScanError, TextColumns, archive, files, tables};
use crate::control::Control;
use crate::data::facts::{Carrier, extension};
use crate::data::finding::{Finding, FindingKind};
use crate::data::modality::Modality;

/// One sample, or what stands where one might be.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlabelled {
    /// Of the file, as it was given or found below the folder that was given.
    pub path: PathBuf,
    /// The line of a table on which its row begins.
    pub line: Option<u64>,
    pub content: Result<Content, Finding>,
}

/// What a sample consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The file itself.
    File,
    /// The text of a row.
    Text(String),
}

/// The samples at `path`, in its order: a file is one, a table has one in each row, a folder all that lies below it.
/// What cannot be used is among them, with the reason.
///
/// # Errors
///
/// The user stopped.
pub fn unlabelled(
    path: &Path,
    modality: Modality,
    columns: &TextColumns,
    control: &dyn Control,
) -> Result<Vec<Unlabelled>, ScanError> {
    let asked = Asked { modality, columns, control };
    let path: &Path = &archive::opened(path, control)?;
    match path.is_dir() {
        true => asked.in_folder(path),
        false if asked.is_table(path) => asked.rows(path),
        false => Ok(vec![Unlabelled { path: path.to_owned(), line: None, content: Ok(Content::File) }]),
    }
}

struct Asked<'a> {
    modality: Modality,
    columns: &'a TextColumns,
    control: &'a dyn Control,
}

impl Asked<'_> {
    fn is_table(&self, path: &Path) -> bool {
        let is_meant = !self.columns.learnt && self.columns.text.is_some() && extension(path) == "txt";
        self.modality.facts().carrier == Carrier::Words && (tables::named_like_a_table(path) || is_meant)
    }

    fn in_folder(&self, root: &Path) -> Result<Vec<Unlabelled>, ScanError> {
        let mut tree = match Tree::walk(root, self.control) {
            Err(error @ ScanError::Stopped { .. }) => return Err(error),
            Err(error) => return Ok(vec![refused(root, of_error(root, &error))]),
            Ok(tree) => tree,
        };
        let nothing = KnownFiles::default();
        let mut memory = Memory::new(&nothing);
        memory.take_stamps(std::mem::take(&mut tree.stamps));
        let mut found: Vec<Unlabelled> =
            tree.findings.into_iter().map(|finding| refused(&root.join(&finding.file), finding)).collect();
        for path in tree.files {
            let full = root.join(&path);
            if files::kind(root, &path, &mut memory) == Some(self.modality) {
                found.push(Unlabelled { path: full, line: None, content: Ok(Content::File) });
            } else if self.is_table(&full) {
                found.extend(self.rows(&full)?);
            } else {
                found.push(refused(&full, files::not_data(&path, self.modality)));
            }
        }
        if found.is_empty() {
            let what = self.modality.facts().files;
            found.push(refused(
                root,
                Finding {
                    file: root.to_owned(),
                    line: None,
                    kind: FindingKind::EmptyFolder,
                    reason: format!("the folder holds no {what}"),
                    remedy: "Name files, or a folder that holds some.".to_owned(),
                },
            ));
        }
        // Rows of one table stay in their order.
        found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        Ok(found)
    }

    fn rows(&self, path: &Path) -> Result<Vec<Unlabelled>, ScanError> {
        let (rows, findings) = match tables::texts(path, self.columns, self.control) {
            Err(error @ ScanError::Stopped { .. }) => return Err(error),
            Err(error) => return Ok(vec![refused(path, of_error(path, &error))]),
            Ok(found) => found,
        };
        let rows = rows.into_iter().map(|row| Unlabelled {
            path: path.to_owned(),
            line: row.line,
            content: Ok(row.text.map_or(Content::File, Content::Text)),
        });
        // What was read around costs no row.
        let broken = findings.into_iter().filter(|finding| finding.kind != FindingKind::PassedOver);
        let mut all: Vec<Unlabelled> = rows.chain(broken.map(|finding| refused(path, finding))).collect();
        all.sort_by_key(|row| row.line);
        if all.is_empty() {
            let finding = Finding {
                file: path.to_owned(),
                line: None,
                kind: FindingKind::Empty,
                reason: "has no rows".to_owned(),
                remedy: "Choose a table with rows.".to_owned(),
            };
            all.push(refused(path, finding));
        }
        Ok(all)
    }
}

fn refused(path: &Path, finding: Finding) -> Unlabelled {
    Unlabelled { path: path.to_owned(), line: finding.line, content: Err(finding) }
}

fn of_error(path: &Path, error: &ScanError) -> Finding {
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::Unreadable,
        reason: error.to_string(),
        remedy: error.remedy().in_window(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;

    /// Each as "path", "path:line=text" or "path!reason".
    fn check(root: &Path, at: &str, modality: Modality, text_column: Option<&str>, expected: &[&str]) {
        let columns = TextColumns { text: text_column.map(str::to_owned), ..Default::default() };
        let found = unlabelled(&root.join(at), modality, &columns, &Silent).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|one| {
                let path = one.path.strip_prefix(root).unwrap().display().to_string();
                let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
                match &one.content {
                    Ok(Content::File) => path,
                    Ok(Content::Text(text)) => format!("{path}{line}={text}"),
                    Err(finding) => format!("{path}{line}!{}", finding.reason),
                }
            })
            .collect();
        assert_eq!(found, expected, "{at}");
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_gives_what_a_scan_would_take_and_names_the_rest() {
        let jpeg: &[u8] = b"\xff\xd8\xff\xe0 and so on";
        let files: [(&str, &[u8]); 8] = [
            ("cat/1", jpeg),
            ("cat/2.jpg_large", jpeg),
            ("cat/3.heic", b"\0\0\0\x18ftypheic"),
            ("dog/4.jpg", jpeg),
            ("5.ppm", b"P6 1 1 255 abc"),
            ("labels.csv", b"file,label\n1,cat\n"),
            (".DS_Store", b"x"),
            ("notes.txt", b"fine words"),
        ];
        let photos = folder(&files);
        let no_image = "!is not an image, so it is left out";
        let expected = [
            "in/5.ppm".to_owned(),
            "in/cat/1".to_owned(),
            "in/cat/2.jpg_large".to_owned(),
            "in/cat/3.heic".to_owned(),
            "in/dog/4.jpg".to_owned(),
            format!("in/labels.csv{no_image}"),
            format!("in/notes.txt{no_image}"),
        ];
        let expected: Vec<String> = expected.iter().map(|path| path.replace("in/", "")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(photos.path(), "", Modality::Image, None, &expected);
    }

    #[test]
    fn a_table_has_a_text_in_each_row() {
        let texts = folder(&[
            ("plain.csv", b"text\ngood day\nbad day\n"),
            ("labelled.csv", b"id,label,review\n1,pos,\"a good, long day\"\n2,,a bad day\n3,neg,\n"),
            ("own.csv", b"id,note,words\n1,x,a long day\n"),
            ("two.csv", b"title,body\nfirst,a long first body\n"),
            ("rows.jsonl", b"{\"text\": \"fine\"}\n{\"no\": 1}\n"),
            ("unnamed.tsv", b"good film\t1\nbad film\t0\nfine film\t1\nsad film\t0\n"),
            ("empty.csv", b"\n"),
            ("a.txt", b"text,label\nnot rows,1\n"),
        ]);
        let check = |at: &str, column: Option<&str>, expected: &[&str]| {
            check(texts.path(), at, Modality::Text, column, expected);
        };
        check("plain.csv", None, &["plain.csv:2=good day", "plain.csv:3=bad day"]);
        check(
            "labelled.csv",
            None,
            &[
                "labelled.csv:2=a good, long day",
                "labelled.csv:3=a bad day",
                "labelled.csv:4!the text is empty",
            ],
        );
        check("two.csv", None, &["two.csv:2=a long first body"]);
        check("two.csv", Some("title"), &["two.csv:2=first"]);
        check("rows.jsonl", None, &["rows.jsonl:1=fine", "rows.jsonl:2!there is no “text”"]);
        check(
            "unnamed.tsv",
            None,
            &[
                "unnamed.tsv:1=good film",
                "unnamed.tsv:2=bad film",
                "unnamed.tsv:3=fine film",
                "unnamed.tsv:4=sad film",
            ],
        );
        check("own.csv", None, &["own.csv:2=a long day"]);
        check("empty.csv", None, &["empty.csv!has no rows"]);
        check("a.txt", None, &["a.txt"]);
        check("a.txt", Some("text"), &["a.txt:2=not rows"]);
        let nothing = TextColumns { text: Some("nothing".to_owned()), ..Default::default() };
        let missing = unlabelled(&texts.path().join("two.csv"), Modality::Text, &nothing, &Silent).unwrap();
        assert!(
            matches!(&missing[..], [Unlabelled { content: Err(finding), .. }] if finding.reason.contains("“nothing”"))
        );
    }
}
