//! Files that a command names and that are made for one launch.

use std::io;
use std::path::Path;

/// Writes a file into a launch's folder and puts its path in place of the word that stands for it.
///
/// # Errors
/// The folder cannot be written, or no word of the command is `name`.
pub fn place_file(argv: &mut [String], name: &str, text: &str, folder: &Path) -> io::Result<()> {
    let Some(word) = argv.iter_mut().find(|word| *word == name) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the command does not name {name}")));
    };
    // The server is started in another folder than this one, so that a relative path would not lead here.
    let folder = std::path::absolute(folder)?;
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    *word = path.display().to_string();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_becomes_the_path_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("launch");
        let mut argv = ["serve", "--config", "a.yaml"].map(str::to_owned);
        place_file(&mut argv, "a.yaml", "x: 1\n", &inside).unwrap();
        assert_eq!(argv[2], inside.join("a.yaml").display().to_string());
        assert_eq!(std::fs::read_to_string(&argv[2]).unwrap(), "x: 1\n");
        assert_eq!(place_file(&mut argv, "b.yaml", "", &inside).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(!inside.join("b.yaml").exists());
    }
}
