// NioEcho.java - an echo server and its clients with java's NIO selectors, for the interop tests.
// usage: java NioEcho.java server PORT
//        java NioEcho.java client ADDRESS PORT COUNT (COUNT connections at once)
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Random;

public class NioEcho {
  static final int OCTETS = 300_000;

  public static void main(String[] arguments) throws IOException {
    if (arguments[0].equals("server")) {
      serve(Integer.parseInt(arguments[1]));
    } else {
      ask(new InetSocketAddress(arguments[1], Integer.parseInt(arguments[2])),
          Integer.parseInt(arguments[3]));
    }
  }

  // Each connection has one buffer: what was read goes out before more is read.
  static void serve(int port) throws IOException {
    Selector selector = Selector.open();
    ServerSocketChannel listener = ServerSocketChannel.open();
    listener.bind(new InetSocketAddress(port));
    listener.configureBlocking(false);
    listener.register(selector, SelectionKey.OP_ACCEPT);
    while (true) {
      selector.select();
      for (SelectionKey key : selector.selectedKeys()) {
        if (key.isAcceptable()) {
          SocketChannel accepted = listener.accept();
          accepted.configureBlocking(false);
          accepted.register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(65536));
        } else {
          echo(key);
        }
      }
      selector.selectedKeys().clear();
    }
  }

  static void echo(SelectionKey key) throws IOException {
    SocketChannel channel = (SocketChannel) key.channel();
    ByteBuffer buffer = (ByteBuffer) key.attachment();
    if (key.isReadable() && channel.read(buffer.clear()) < 0) {
      channel.close();
      return;
    }
    if (key.isReadable()) {
      buffer.flip();
    }
    channel.write(buffer);
    key.interestOps(buffer.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
  }

  static class Client {
    final ByteBuffer out = ByteBuffer.allocate(OCTETS);
    final ByteBuffer in = ByteBuffer.allocate(OCTETS);

    Client(int seed) {
      new Random(seed).nextBytes(out.array());
    }
  }

  static void ask(InetSocketAddress address, int count) throws IOException {
    Selector selector = Selector.open();
    for (int i = 0; i < count; ++i) {
      SocketChannel channel = SocketChannel.open();
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_CONNECT, new Client(i));
      channel.connect(address);
    }
    for (int open = count; open > 0;) {
      selector.select();
      for (SelectionKey key : selector.selectedKeys()) {
        if (isDone(key)) {
          --open;
        }
      }
      selector.selectedKeys().clear();
    }
  }

  static boolean isDone(SelectionKey key) throws IOException {
    SocketChannel channel = (SocketChannel) key.channel();
    Client client = (Client) key.attachment();
    if (key.isConnectable() && channel.finishConnect()) {
      key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
      return false;
    }
    if (key.isWritable()) {
      channel.write(client.out);
      if (!client.out.hasRemaining()) {
        key.interestOps(SelectionKey.OP_READ);
      }
    }
    if (key.isReadable() && channel.read(client.in) < 0) {
      throw new IOException("the end came after " + client.in.position() + " octets");
    }
    if (client.in.hasRemaining()) {
      return false;
    }
    if (!java.util.Arrays.equals(client.in.array(), client.out.array())) {
      throw new IOException("what came back is not what was sent");
    }
    channel.close();
    return true;
  }
}
