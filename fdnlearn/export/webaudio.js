// @NAME@: a room as a feedback delay network, an AudioWorklet module. Written by fdnlearn; do with it what you like.
//
//   const context = new AudioContext({ sampleRate: @RATE@ });   // this rate and no other
//   await context.audioWorklet.addModule("@NAME@.js");
//   const room = new AudioWorkletNode(context, "@NAME@", {
//     numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [@OUTPUTS@],
//     channelCount: @INPUTS@, channelCountMode: "explicit", channelInterpretation: "discrete",
//   });
//   source.connect(room).connect(context.destination);
//
// The output holds the room alone, its direct sound included.

const network = @DATA@;

@LOOP@

class Room extends AudioWorkletProcessor {
  constructor(options) {
    super(options);
    if (sampleRate !== network.sampleRate)
      throw new Error(`${network.name} runs at ${network.sampleRate} Hz, not at ${sampleRate} Hz: export it again`);
    this.network = new Network(network);
  }

  process(inputs, outputs) {
    const output = outputs[0];
    this.network.process(inputs[0], output, output[0].length);
    return true;
  }
}

registerProcessor(network.name, Room);
