from train import test, x, y

from workers.winner import load_winner

winner = load_winner("model")
print(winner.figures["test_loss"], winner.model(x[test[:8]]).argmax(1).tolist(), "where it is", y[test[:8]].tolist())
