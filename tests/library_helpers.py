"""What the tests of the library ask of both indexes."""

from embeddings.tokens import terms


def texts(library, question, top_k=5, **options):
    """What both indexes find, best first; each must find the same documents to be in step."""
    snapshot = library.snapshot()
    _, words = snapshot.lexical.search(terms(question), top_k, **options)
    _, near = snapshot.vectors.search(snapshot.encoder.encode_query([question]), top_k, **options)
    dense = [i for i in near[0].tolist() if i >= 0]
    return (
        [c.text for c in library.store.chunks_by_id(words.tolist())],
        [c.text for c in library.store.chunks_by_id(dense)],
    )


def all_text(library, question):
    by_words, near = texts(library, question)
    return "".join([*by_words, *near])


def everything(library):
    """Chunk ids that the store, the lexical and the vector index hold."""
    snapshot = library.snapshot()
    stored = library.store.chunk_ids()
    by_words = snapshot.lexical.search(terms("市通知的一二目标措施是关于"), 999)[1].tolist()
    near = snapshot.vectors.search(snapshot.encoder.encode_query(["市"]), 999)[1][0].tolist()
    return stored, set(by_words), {i for i in near if i >= 0}


def assert_in_step(library):
    stored, by_words, near = everything(library)
    assert stored == by_words == near
    assert library.check().problems == ()
