"""The tables of documents, chunks and vectors, and how they have grown."""

# Texts live apart from what lists and filters read. The chunks of a document have consecutive ids
# from `first_chunk` on, and its vectors lie in one blob in the same order.
SCHEMA = """
CREATE TABLE documents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, sha256 TEXT NOT NULL,
  title TEXT NOT NULL, place TEXT NOT NULL, date TEXT NOT NULL, department TEXT NOT NULL,
  theme TEXT NOT NULL, size INTEGER NOT NULL, first_chunk INTEGER NOT NULL,
  n_chunks INTEGER NOT NULL, added TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  state TEXT NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'replaced', 'removed')),
  replaced_by INTEGER REFERENCES documents (id));
CREATE INDEX documents_sha256 ON documents (sha256) WHERE state = 'current';
CREATE INDEX documents_state ON documents (state, n_chunks);
CREATE INDEX documents_name ON documents (name);
CREATE INDEX documents_replaced_by ON documents (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE TABLE contents (
  document INTEGER PRIMARY KEY REFERENCES documents (id), text BLOB NOT NULL,
  outline BLOB NOT NULL, pages BLOB NOT NULL);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (id),
  node INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, case_number INTEGER,
  case_title TEXT NOT NULL, section TEXT NOT NULL, place TEXT NOT NULL, page INTEGER);
CREATE INDEX chunks_case ON chunks (document, case_number) WHERE case_number IS NOT NULL;
CREATE INDEX chunks_place ON chunks (place) WHERE place <> '';
CREATE TABLE models (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE vectors (
  document INTEGER NOT NULL REFERENCES documents (id),
  model INTEGER NOT NULL REFERENCES models (id), data BLOB NOT NULL,
  PRIMARY KEY (document, model));
CREATE TABLE changes (
  generation INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('add', 'remove')),
  token TEXT NOT NULL DEFAULT (hex(randomblob(8))))
"""

OTHER_NAMES_SCHEMA = """
ALTER TABLE chunks ADD COLUMN others TEXT NOT NULL DEFAULT ''
"""
